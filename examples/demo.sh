#!/usr/bin/env bash
# Play dataver's quickstart on real files: three releases of a data set become three commits and tags, go to a
# remote, and come back byte for byte, in part and in whole, in a second clone.
#
# Every command is printed after "$ " with what it really printed. Exits non-zero at the first thing that is wrong.
#
#   examples/demo.sh              offline, on the files in examples/vega-datasets
#   DEMO_FULL=1 examples/demo.sh  fetches the whole releases from npm (about 40 MB) and plays on those
#   DEMO_KEEP=1 examples/demo.sh  leaves the playground in place and says where it is
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v dataver >/dev/null || { echo "dataver is not on PATH; run: make demo" >&2; exit 2; }

play=$(mktemp -d)
play=$(cd "$play" && pwd -P)
finish() {
  status=$?
  if [[ -n ${DEMO_KEEP:-} ]]; then echo "The playground stays in $play"; else rm -rf "$play"; fi
  if [[ $status -ne 0 ]]; then echo "The demo FAILED." >&2; fi
  exit "$status"
}
trap finish EXIT

# Nothing of the person who runs this takes part: no configuration, no cache, no identity.
export HOME=$play/home GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Demo GIT_AUTHOR_EMAIL=demo@example.org GIT_COMMITTER_NAME=Demo GIT_COMMITTER_EMAIL=demo@example.org
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir "$HOME"

say() { printf '\n# %s\n' "$*"; }
run() { # prints the command, then runs it here (so that cd holds)
  printf '$ %s\n' "$*"
  eval "$*" 2>&1
}
fail() { echo "demo: $*" >&2; exit 1; }
same() { # same FOLDER FOLDER: names, bytes and executable bits
  diff -rq --no-dereference "$1" "$2" >&2 || fail "$1 and $2 differ"
  local modes='find . -type f -perm -u+x | LC_ALL=C sort'
  [[ $(cd "$1" && eval "$modes") == $(cd "$2" && eval "$modes") ]] || fail "modes of $1 and $2 differ"
  echo "identical, byte for byte: ${1#"$play"/} and ${2#"$play"/}"
}

releases=(1.31.1 2.11.0 3.2.1)
source=$play/releases
mkdir "$source"
if [[ -n ${DEMO_FULL:-} ]]; then
  say "Three releases of the npm package vega-datasets"
  for release in "${releases[@]}"; do
    (cd "$source" && HOME=$play/home npm pack --silent "vega-datasets@$release" >/dev/null &&
      tar -xzf "vega-datasets-$release.tgz" && mv package/data "$release" && rm -rf package)
  done
else
  for release in "${releases[@]}"; do cp -Rp "$here/vega-datasets/$release" "$source/$release"; done
fi

cd "$play"
say "A Git repository gets data: the pointer goes into Git, the files go into the cache."
run git init -q -b main charts
run cd charts
run dataver init
run dataver remote add origin ../store
cp -Rp "$source/1.31.1" data
run dataver add data/
run git status --short
run 'git commit -qm "vega-datasets 1.31.1" && git tag v1'
run cat data.dv

say "Two more releases: each is one commit and one tag."
for n in 2 3; do
  release=${releases[n - 1]}
  rm -rf data && cp -Rp "$source/$release" data
  run dataver status
  run dataver add data/
  run "git commit -qm 'vega-datasets $release' && git tag v$n"
done

say "All versions go to the remote, as a few packs."
run dataver push --all
run dataver push --all

say "What changed between two versions? No file is opened for this."
run dataver diff v1 v2
run dataver diff v2 v3

say "Back to the first version, and forward again."
run git switch -q --detach v1
run 'dataver status'
run dataver checkout
same "$source/1.31.1" "$play/charts/data"
run git switch -q main
run dataver checkout
same "$source/3.2.1" "$play/charts/data"

say "A second clone brings a part, which is remembered, then the rest."
run cd ..
run git clone -q charts other
run cd other
run dataver pull data/us-state-capitals.json data/wheat.json
run ls data
run dataver status
run "dataver pull 'data/*'"
run dataver status
same "$source/3.2.1" "$play/other/data"

say "Every version, from the second clone: fetched, checked out, compared with the release."
run dataver fetch --all
for n in 1 2 3; do
  run "git switch -q --detach v$n && dataver checkout"
  same "$source/${releases[n - 1]}" "$play/other/data"
  dataver status --exit-code >/dev/null || fail "status at v$n is not clean"
done

say "An older version beside the present one."
run dataver checkout v1 data --to ../older
same "$source/1.31.1" "$play/older/data"

printf '\nThe demo ran to its end: three versions, a remote, two clones, and every byte as it was.\n'
