"""
Whole tables, answered by one version.

    parts         a batch, the version it is pinned to, and its parts
    rows_file     rows to predict, in Parquet
    folder        a batch in the making
    answers_file  a batch's answers in Parquet
    answer_table  a batch's answers in a table
"""
