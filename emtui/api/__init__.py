"""The Python API: the commands and the models of the console and the command line, for notebooks and pipelines.

    async with open_session("em") as session:
        await session.do(Uplink((Path("echo-test"),)))

Everything here belongs to the event loop in which the session was opened. docs/python.md shows how it is used. What is
public has its name in `emtui`.
"""
