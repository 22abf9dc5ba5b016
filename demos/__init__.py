"""
What `make demo`, `make demo-triton` and `make demo-credit` show, on the real stack.

    main_job      the main job, told to a new user
    triton        releases to a real Triton, good ones and bad ones
    credit        continuous deployment of a credit score
    story         what every demo does: run deployments, check how they ended
    load          a steady stream of requests, every answer checked
    bad_models    models that must not pass
    credit_table  the synthetic table of customers
"""

import interlock  # noqa: F401 - it silences the libraries before they are imported
