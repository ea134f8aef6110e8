# Everything below works on a machine with Python 3.11, git and make, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := .ci/install
PINS := setup.cfg .ci/constraints.txt .ci/install

.PHONY: demo test lint reference soak release-check clean

demo: .venv/demo.stamp  ## Transcribe the sample episodes into results/
	$(BIN)/duet run tests/episodes --to results

test: .venv/test.stamp lint  ## Run every test
	OMP_WAIT_POLICY=passive $(BIN)/pytest -n 2 --dist loadgroup

soak: .venv/test.stamp  ## 300 episodes while something breaks every two seconds; SOAK="--episodes 30" for a shorter one
	$(BIN)/python -m tests.faults.soak $(SOAK)

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/house.py
	$(BIN)/python .ci/reference.py --check

reference: .venv/test.stamp  ## Write docs/settings.md and docs/cli.md again
	$(BIN)/python .ci/reference.py

release-check: .venv/release.stamp  ## Whether this commit can be released; publishes nothing
	.ci/release-check

.venv/demo.stamp: $(PINS)
	PYTHON=$(PYTHON) $(INSTALL) worker,speakers,embedded
	touch $@

.venv/test.stamp: $(PINS)
	PYTHON=$(PYTHON) $(INSTALL) worker,speakers,embedded,quantize,flower,metrics,otel,serve,test,deploy,lint
	touch $@ .venv/demo.stamp

# The licences are those of everything that a user may install.
.venv/release.stamp: $(PINS)
	PYTHON=$(PYTHON) $(INSTALL) worker,speakers,embedded,quantize,flower,metrics,otel,serve,sqs,release
	touch $@

clean:
	rm -rf .venv results build *.egg-info
