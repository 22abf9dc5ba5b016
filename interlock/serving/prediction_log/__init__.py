"""
Every answer to a client goes to the table `prediction_log`, off the request path.

    request --put--> queue --every 100 ms--> spool on disk, fsynced --> batched inserts --> database
            memory, bounded    one thread          another thread, in order; again and again while the database is away

A request never waits and never fails because of the log. A row is in memory for 100 ms at most, so that is what a
SIGKILL loses; then it is on disk until the database has it. Inserting a row twice changes nothing (its id is made
here). Only a full disk can lose rows, once the queue is full too; they are counted and logged. Answers by versions
that are not live (pinned, for proving) are not logged.

    rows         an answered request -> rows, without what is personal
    spool        files of rows that wait for the database
    table        the table, and the statement that adds to it
    database     migrated, and written in batches
    log          the queue and the two threads
    metrics      what is counted
    migrations   Alembic's; run when the log first reaches the database, and by
                 `python -m interlock.serving.prediction_log`
"""
