"""
Stories that an operator starts; the only place with @flow.

    train_register_reload    train -> gate -> register -> release to the serving app
    recover_run              the hook of every flow: calls `delivery.recovery.recover`, has no logic of its own
"""
