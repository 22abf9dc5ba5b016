"""
The serving app as a release sees it.

    engine  its replicas
    start   whether somebody answers there, and the command that starts it
"""
