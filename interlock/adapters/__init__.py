"""
Clients of the outside, without Prefect; they implement the protocols of `interlock.release`.

    deadline        a total deadline for any call
    http            one way to call, one way to tell Unreachable from Refused from Garbled
    database        connections by SQLAlchemy URL
    database_url    what such a URL may be shown as, and its driver's arguments
    feature_store   tables to train from and to predict
    prediction_log  deletes what is too old in it
    notify          messages to people
    engines         the engine that an enrolment names
    serving         the serving app
    triton          Triton
    mlflow          MLflow
"""
