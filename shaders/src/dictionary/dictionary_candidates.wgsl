// entries[l] = (v, key) of the candidates of list l at or above the bound, by rising v, as many as there is room for; lengths[l] = how many there are; a lane a list
// uses: positive, candidates
// source [rows, stride], bits of f32
// allowed [features]
// maxima [rows, runs]
// state [3]; the bound
// entries [lists, room, 2]
// lengths [lists]
override WG: u32 = 64u;
// Whether `allowed` counts.
override MASKED: bool = false;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> maxima: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> entries: array<u32>;
@group(0) @binding(5) var<storage, read_write> lengths: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_candidates(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let list = id.y * groups.x * WG + id.x;
  if (list >= params.lists) {
    return;
  }
  let row = list / lists_of_row();
  let bound = state[2];
  let row_maxima = row * runs_of_row();
  let first = (list % lists_of_row()) * LIST_RUNS;
  let end = min(first + LIST_RUNS, runs_of_row());
  var length = 0u;
  for (var run = first; ; run += 1u) {
    // This lane's next run with a candidate; other lanes may be at others.
    while (run < end && maxima[row_maxima + run] < bound) {
      run += 1u;
    }
    if (run >= end) {
      break;
    }
    let begin = run * RUN;
    let last = min(begin + RUN, params.features) - 1u;
    // A bit each: seldom has a run more than one candidate.
    var reaching = 0u;
    // repeat r 0..16
    reaching |= select(0u, 1u << $(r)u, key_at(row, min(begin + $(r)u, last)) >= bound && begin + $(r)u <= last);
    // end repeat
    for (; reaching != 0u; reaching &= reaching - 1u) {
      if (length < params.room) {
        let v = begin + firstTrailingBit(reaching);
        let at = 2u * (list * params.room + length);
        entries[at] = v;
        entries[at + 1u] = key_at(row, v);
      }
      length += 1u;
    }
  }
  lengths[list] = length;
}
