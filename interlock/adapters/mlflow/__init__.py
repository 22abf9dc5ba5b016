"""
MLflow, by its REST API.

    api         what the others have in common
    registry    versions, aliases and artifacts
    experiment  whether trainings can be logged, asked before one is made
    flavour     the scikit-learn model of a run, by MLflow's own client in a process of its own
    pictures    what belongs to a task, drawn
    tracking    training runs
    originals   models that others logged: found, and fetched
    script      log_model: from a training script of one's own
    adoption    one of these -> a version of ours
"""
