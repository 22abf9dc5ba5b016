"""
The app's routes.

    predict  POST /predict, and for one alias or version
    info     what is live, health and metadata
    control  stage, reload, drop: with a token, by the door for control
"""
