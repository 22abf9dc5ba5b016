"""
Seeded bugs, most of them of the naive design, each with the test that catches it.

A mutant is a piece of code, what stands there instead, and a test that must fail then.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`instead` replaces `code`, which occurs once in `file`; `test` fails then."""

    name: str
    file: str
    code: str
    instead: str
    test: str


MUTANTS = (
    Mutant(
        "a quarantined version lies where Triton reads it as a version",
        "interlock/store/versions.py",
        'self.paths.failed / f"{version}-{utc_stamp()}-{uuid4().hex[:8]}"',
        'self.paths.versions / f"{version}.failed_{utc_stamp()}"',
        "tests/store/test_writer.py::test_quarantine_moves_and_keeps_the_reason",
    ),
    Mutant(
        "a candidate is loaded under the live name, so that it answers before anybody proved it",
        "interlock/adapters/triton/engine.py",
        "self.control.load(candidate_folder(candidate.model), config, files)",
        "self.control.load(candidate.model, config, files)",
        "tests/adapters/triton/test_engine.py::test_a_candidate_is_proved_under_another_name_and_exposed_to_nobody[fake]",
    ),
    Mutant(
        "what serves is unloaded before the next version is loaded",
        "interlock/adapters/triton/engine.py",
        "            self.control.load(folder.name)",
        "            self.control.unload(folder.name)\n            self.control.load(folder.name)",
        "tests/adapters/triton/test_engine.py::test_what_serves_is_never_unloaded",
    ),
    Mutant(
        "a failure after the commit is not wired to the way back",
        "interlock/release/open.py",
        "    except BaseException as cause:\n        recovery = recover(",
        "    except BaseException as cause:\n        recovery = release.current == release.before and recover(",
        "tests/release/test_steps.py::test_a_replica_that_does_not_follow_after_the_commit_goes_back",
    ),
    Mutant(
        "records are written in place",
        "interlock/store/durable.py",
        "    os.rename(temporary, path)\n    sync_folder(path.parent)\n\n\ndef create",
        "    path.write_bytes(temporary.read_bytes())\n\n\ndef create",
        "tests/prove/test_durability.py",
    ),
    Mutant(
        "nothing is fsynced",
        "interlock/store/durable.py",
        "            rest = rest[os.write(handle, rest) :]\n        os.fsync(handle)\n",
        "            rest = rest[os.write(handle, rest) :]\n",
        "tests/prove/test_durability.py",
    ),
    Mutant(
        "the way back raises when the alias already names the version",
        "interlock/release/alias.py",
        "        registry.set_alias(writer.model, alias, version)\n",
        "        if registry.alias(writer.model, alias) == version:\n            raise ValueError(alias)\n"
        "        registry.set_alias(writer.model, alias, version)\n",
        "tests/release/test_steps.py::test_a_replica_that_does_not_follow_after_the_commit_goes_back",
    ),
    Mutant(
        "an alias is deleted and then set",
        "interlock/adapters/mlflow/registry.py",
        '        self._http.ask("POST", f"{API}/registered-models/alias", Done, json=body)\n',
        "        self.delete_alias(model, alias)\n"
        '        self._http.ask("POST", f"{API}/registered-models/alias", Done, json=body)\n',
        "tests/adapters/mlflow/test_registry.py::test_an_alias_is_moved_by_one_call_so_that_it_is_never_gone",
    ),
    Mutant(
        "a reload that fails answers 200",
        "interlock/serving/routes/control.py",
        '        raise Problem(409, "refused", str(error)) from error',
        '        return {"status": "error"}',
        "tests/serving/routes/test_control.py::test_reload_that_fails_is_an_error_status_and_the_old_version_goes_on",
    ),
    Mutant(
        "an answer names the version that is live when it is sent",
        "interlock/serving/routes/predict.py",
        "        return await _answer_by(chosen(state.variants, alias, x_version), asked, "
        "state.settings.predict_timeout_s)\n    except VersionGone:",
        "        by = chosen(state.variants, alias, x_version)\n"
        "        _, answers = await _answer_by(by, asked, state.settings.predict_timeout_s)\n"
        "        return chosen(state.variants, alias, x_version), answers\n    except VersionGone:",
        "tests/serving/routes/test_control.py::test_an_answer_names_the_version_that_computed_it_when_a_swap_comes_between",
    ),
    Mutant(
        "reload asks for no token",
        "interlock/serving/routes/control.py",
        "dependencies=[Depends(needs_token)]",
        "dependencies=[]",
        "tests/serving/routes/test_control.py::test_without_a_valid_token_it_is_401",
    ),
    Mutant(
        "a prediction waits for the database",
        "interlock/serving/prediction_log/log.py",
        "        self._put_rows += rows\n",
        "        self._put_rows += rows\n        self._database.prepare()\n",
        "tests/serving/prediction_log/test_log.py::test_rows_wait_on_disk_while_the_database_is_away_and_follow_in_order",
    ),
    Mutant(
        "one training run is registered as often as it is asked for",
        "interlock/adapters/mlflow/registry.py",
        "            if found := self._version_of_run(registration):  # the answer was lost, the work was not\n"
        "                return found\n            raise",
        "            return self._create_version(registration)",
        "tests/adapters/mlflow/test_registry.py::test_an_answer_that_got_lost_after_the_work_makes_no_second_version",
    ),
    Mutant(
        "the decision is written before the proof",
        "interlock/release/steps.py",
        '    Step("smoke"),\n    Step("commit"),\n',
        '    Step("commit"),\n    Step("smoke"),\n',
        "tests/release/test_steps.py::test_a_wrong_answer_is_a_failure_too",
    ),
    Mutant(
        "two writers hold the lock together",
        "interlock/store/lock.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "tests/release/test_steps.py::test_the_loser_of_two_releases_changes_nothing",
    ),
    Mutant(
        "a stale release overwrites a newer decision",
        "interlock/store/decision_writer.py",
        "        if not now.same_decision(before):\n",
        "        if now.epoch < 0:\n",
        "tests/store/test_writer.py::test_commit_refuses_a_decision_that_moved",
    ),
    Mutant(
        "a writer that comes late commits all the same",
        "interlock/store/decision_writer.py",
        "        self._remove_prepared(except_=prepared)\n",
        "",
        "tests/store/test_decision_writer.py",
    ),
    Mutant(
        "bytes that failed are forgotten",
        "interlock/release/steps.py",
        "            if refusal and not self.force:\n",
        "            if refusal and self.force is None:\n",
        "tests/release/test_steps.py::test_bytes_that_failed_are_refused_until_forced",
    ),
    Mutant(
        "a wrong answer is asked for again and again",
        "tasks/step.py",
        "            retry_condition_fn=only_unreachable,\n",
        "",
        "tests/flows/test_step.py::test_a_step_is_retried_only_when_nobody_answered",
    ),
    Mutant(
        "a version that was live is quarantined by the machine",
        "interlock/release/recover.py",
        "    if refusal and not _ever_live(writer, candidate.version):\n",
        "    if refusal:\n",
        "tests/release/test_steps.py::"
        "test_a_version_that_was_live_and_fails_when_it_is_released_again_is_refused_and_not_moved",
    ),
    Mutant(
        "the way back waits for the registry",
        "interlock/release/recover.py",
        '    except DeliveryError as error:\n        return f"; alias {alias} pending ({error})"\n',
        "    except LookupError as error:\n        return str(error)\n",
        "tests/release/test_steps.py::test_the_way_back_after_the_commit_does_not_wait_for_the_registry",
    ),
    Mutant(
        "what an operator went back from is released again by the next schedule",
        "interlock/release/recover.py",
        "    if left := journal.left_behind:\n",
        "    if (left := journal.left_behind) and not left:\n",
        "tests/release/test_rollback.py::test_what_was_left_behind_is_not_released_again_by_a_schedule",
    ),
    Mutant(
        "an epoch that was claimed in vain is used again",
        "interlock/store/decision.py",
        'stems = (name.split(".")[0] for name in names_in(paths.history))',
        'stems = (name.split(".")[0] for name in names_in(paths.history) if "void" not in name)',
        "tests/store/test_writer.py::test_a_voided_epoch_is_not_used_again",
    ),
    Mutant(
        "a tick tries a version that failed before again",
        "interlock/release/freshness.py",
        "if refusal := store.refusal(current.model, newest.candidate.sha256):",
        "if (refusal := store.refusal(current.model, newest.candidate.sha256)) and not refusal:",
        "tests/release/test_freshness.py::test_ten_ticks_try_a_bad_version_once",
    ),
    Mutant(
        "a tick goes by the numbers of versions, not by when they were trained",
        "interlock/release/freshness.py",
        "age.rank < older.rank",
        "version < live",
        "tests/release/test_freshness.py::test_a_version_that_was_registered_later_but_trained_earlier_is_not_newer",
    ),
    Mutant(
        "the later of two ticks releases what it judged by an older decision",
        "interlock/release/open.py",
        "        if since:\n",
        "        if since and not store:\n",
        "tests/release/test_freshness.py::test_a_release_that_was_judged_by_an_older_decision_changes_nothing",
    ),
    Mutant(
        "an app that answers with an error is taken for one that is down",
        "interlock/adapters/http.py",
        "return status not in NOBODY_BEHIND",
        "return status not in NOBODY_BEHIND and status < 500",
        "tests/adapters/serving/test_start.py::test_who_answers_is_up_whatever_the_answer_is",
    ),
    Mutant(
        "a slow minute puts a version away for ever",
        "interlock/release/recover.py",
        "    if isinstance(cause, Broken):\n        _condemn(writer, journal, str(cause))",
        "    if cause:\n        _condemn(writer, journal, str(cause))",
        "tests/release/test_open.py::test_a_slow_release_is_tried_again_when_the_machine_is_fast_again",
    ),
    Mutant(
        "a rotated token undoes a release that serves",
        "interlock/release/recover.py",
        "    except (Broken, NotFollowed) as error:\n        return Back",
        "    except DeliveryError as error:\n        return Back",
        "tests/release/test_open.py::test_after_the_commit_what_cannot_judge_leaves_the_release_and_is_tried_again",
    ),
    Mutant(
        "an operator's way back is stopped by a stopwatch",
        "interlock/release/rollback.py",
        "    timed: ClassVar[bool] = False\n",
        "    timed: ClassVar[bool] = True\n",
        "tests/release/test_rollback.py::test_an_older_version_that_is_slow_today_serves_again",
    ),
    Mutant(
        "a version that an operator goes back to is condemned",
        "interlock/release/recover.py",
        '    if journal.kind == "release" and not _is_live',
        "    if not _is_live",
        "tests/release/test_rollback.py::"
        "test_an_older_version_that_answers_wrongly_is_found_again_by_the_next_rollback",
    ),
    Mutant(
        "an engine sees a candidate before its trial",
        "interlock/release/steps.py",
        '    Step("trial", retried=False),\n    Step("load"),\n',
        '    Step("load"),\n    Step("trial", retried=False),\n',
        "tests/release/test_open.py::test_no_engine_sees_a_candidate_that_fails_its_trial",
    ),
)
