"""
Stories that an operator starts; the only place with @flow.

    train_register_reload    train -> gate -> register -> release to the serving app
    adopt                    a model that somebody else trained -> a version -> release to the serving app
    deploy_to_triton         a registered version -> release to Triton, and to the serving app in front of it
    continuous_deployment    the newest version that passed the gate -> release, or skip
    manual_rollback          an operator's switch: back to an older version
    reconcile                everything equal to the decisions, where it can be seen
    batch_predict            the rows of a table or a file -> answers by one version
    retention                delete what the prediction log has held for long enough
    recover_run              the hook of every flow: calls `interlock.release.recover.recover`, has no logic of its own
"""

import interlock  # noqa: F401 - it silences the libraries before they are imported
