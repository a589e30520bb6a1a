"""The EM over HTTP: its dialects as data, forms that stream, downlinks that are decoded as they arrive."""
