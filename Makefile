# The README's commands. `make train` and `make test` need nothing installed but Python, a C++
# compiler and cmake.

VENV := .venv
RUN := runs/digit_pairs
DATA := data/digit_pairs
VIDEOS := data/moving_digits
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ACTIVATE = @echo "To use the environment in this shell:  . $(VENV)/bin/activate"

.PHONY: help setup train check slow test lint format audit study moving-digits moving-study bench clean

help:
	@echo "make setup   virtual environment with everything in it, Horovod built"
	@echo "make train   digit pairs: data, training on two Horovod processes, export, prediction"
	@echo "make check   lint and the fast tests: three minutes"
	@echo "make test    lint and all tests, with the share of lines they run (90 % or more)"
	@echo "make audit   known advisories of the pinned versions that docs/security.md does not answer"
	@echo "make bench   speed beside PyTorch and others, docs/benchmarks.md; PHOTOS=FOLDER adds input (under an hour)"
	@echo "make study   GloRe beside plain and non-local networks, its options; five seeds each (an hour and a half)"
	@echo "make moving-digits   videos of two moving digits, a 3-D network with a unit trained on them"
	@echo "make moving-study    the same plain, with a non-local block and with a unit, three seeds each"

setup: $(READY)
	$(ACTIVATE)

$(READY): requirements.txt constraints.txt tools/setup.sh pyproject.toml
	@bash tools/setup.sh $(VENV)
	@touch $@

$(DATA)/train.rec: train/digit_pairs.py | $(READY)
	$(BIN)/python -m train.digit_pairs $(DATA)

train: $(READY) $(DATA)/train.rec
	rm -rf $(RUN)
	$(BIN)/horovodrun -np 2 $(BIN)/python -m train.imagenet --config configs/digit_pairs.yaml --out $(RUN)
	$(BIN)/python -m gluon_glore export $(RUN) --out $(RUN)/export --onnx
	$(BIN)/python -m gluon_glore check $(RUN)/export
	$(BIN)/python -m gluon_glore predict --model $(RUN) $(DATA)/pictures/*.png > $(RUN)/gluon.txt
	$(BIN)/python -m gluon_glore predict --model $(RUN)/export $(DATA)/pictures/*.png > $(RUN)/exported.txt
	@# Names and likeliest classes: another runtime may round a last digit another way.
	awk '{print $$1, $$2}' $(RUN)/gluon.txt > $(RUN)/gluon.classes
	awk '{print $$1, $$2}' $(RUN)/exported.txt | cmp - $(RUN)/gluon.classes
	@cat $(RUN)/exported.txt
	@echo "Gluon and the exported network say the same. The model is in $(RUN)/export."
	$(ACTIVATE)

# A process a core. Marks are set by tests/helpers/marks.py.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal
FAST := not slow and not process and not sweep and not training

check: lint
	$(PYTEST) -m "$(FAST)"

# Which tests are slow, measured: tests/slow.txt.
slow: $(READY)
	$(PYTEST) -m "not process and not sweep and not training" --junitxml=runs/fast.xml \
	  --override-ini=junit_duration_report=call
	$(BIN)/python -m tests.helpers.marks runs/fast.xml

test: lint
	$(PYTEST) --cov --cov-config=pyproject.toml

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

audit: $(READY)
	$(BIN)/python tools/audit.py $(VENV)/audit

BENCH_PYTHON := $(BIN)/python
BENCH := $(BENCH_PYTHON) -m benchmarks
UNITS := resnet50_glore_2_3
# A folder of class folders of photographs, for the benchmark of training input.
PHOTOS :=

bench: $(READY)
	$(BENCH).deploy --network $(UNITS) --batch 1 8 --rounds 7
	$(BENCH).deploy --network resnet50 --batch 8 --rounds 7
	$(BENCH).training_step --network $(UNITS) --batch 8 16 --rounds 7
	$(BENCH).segmentation_step
	$(BENCH).video_forward --network resnet50_3d resnet101_3d --deployed --rounds 7
	$(BENCH).video_forward --network resnet50_3d resnet101_3d --backward --rounds 7
	$(BENCH).unit_share --rounds 7
	$(BENCH).processes --steps 2 --rounds 7 --only "one process" "two, each alone" "two processes"
	$(BENCH).scaling
	$(if $(PHOTOS),$(BENCH).loader $(PHOTOS) --rounds 7)
	$(BENCH).report

STUDIED := data/study

$(STUDIED)/triples/train.rec: train/digit_pairs.py | $(READY)
	$(BIN)/python -m train.digit_pairs $(STUDIED)/pairs --canvas 32 --of 5
	$(BIN)/python -m train.digit_pairs $(STUDIED)/inserted --canvas 16 --of 5
	$(BIN)/python -m train.digit_pairs $(STUDIED)/triples --canvas 32 --digits 3

study: $(READY) $(STUDIED)/triples/train.rec
	$(BIN)/python -m train.paper.study pairs --out runs/study --report docs/study
	$(BIN)/python -m train.paper.study triples --out runs/study --report docs/study
	$(BIN)/python -m train.paper.study inserted --out runs/study --report docs/study
	$(BIN)/python -m train.paper.study_report

$(VIDEOS): train/moving_digits.py train/digit_pairs.py | $(READY)
	rm -rf $(VIDEOS)
	$(BIN)/python -m train.moving_digits $(VIDEOS)

moving-digits: $(READY) $(VIDEOS)
	rm -rf runs/moving_digits
	$(BIN)/horovodrun -np 2 $(BIN)/python -m train.kinetics --config configs/moving_digits.yaml --out runs/moving_digits

moving-study: $(READY) $(VIDEOS)
	$(BIN)/python -m train.paper.study moving_digits --out runs/study --report docs/study
	$(BIN)/python -m train.paper.study_report

clean:
	rm -rf $(VENV) $(DATA) $(VIDEOS) runs build dist *.egg-info
