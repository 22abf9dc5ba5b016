"""
Your models, one file each; the name of the file is the parameter `learner` of the flow.

    iris          the classic, with two parameters: the file to copy
    diabetes      a regression
    messages      texts: what a customer writes about
    cancer        XGBoost
    credit_score  a credit score from a table of customers, with missing cells and categories

A file holds `LEARNER`, an instance of `Learner` or of `TableLearner` from `interlock.training`.
"""

import interlock  # noqa: F401 - it silences the libraries before they are imported
