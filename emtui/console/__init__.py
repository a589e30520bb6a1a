"""The console: what stands on the screen, and what its keys do. Beside `widgets` alone it imports textual."""
