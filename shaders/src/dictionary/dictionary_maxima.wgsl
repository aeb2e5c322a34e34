// maxima[n, j] = the largest key of row n's j-th run of neighbours, 0 where none is positive; histogram[d] += #{largest of JOINT maxima whose highest digit is d}; a lane four runs
// uses: positive, digits, candidates
// source [rows, stride], bits of f32
// allowed [features]
// maxima [rows, runs]
// histogram [2048], 0 before
override WG: u32 = 64u;
// Whether `allowed` counts.
override MASKED: bool = false;
// Neighbouring maxima of which the largest alone is counted: 1, 2 or 4.
override JOINT: u32 = 1u;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read_write> maxima: array<u32>;
@group(0) @binding(3) var<storage, read_write> histogram: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

// 0 for a run that the row does not have.
fn most_of(row: u32, run: u32) -> u32 {
  if (run >= runs_of_row()) {
    return 0u;
  }
  let last = min((run + 1u) * RUN, params.features) - 1u;
  var most = 0u;
  // The last one again where there are fewer.
  // repeat r 0..16
  most = max(most, key_at(row, min(run * RUN + $(r)u, last)));
  // end repeat
  maxima[row * runs_of_row() + run] = most;
  return most;
}

fn count(most: u32) {
  if (most != 0u) {
    atomicAdd(&histogram[most >> digit_shift(0u)], 1u);
  }
}

@compute @workgroup_size(WG)
fn dictionary_maxima(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let fours = (runs_of_row() + 3u) / 4u;
  let row = i / fours;
  if (row >= params.lists / lists_of_row()) {
    return;
  }
  let run = (i % fours) * 4u;
  // repeat r 0..4
  let most$r = most_of(row, run + $(r)u);
  // end repeat
  if (JOINT == 4u) {
    count(max(max(most0, most1), max(most2, most3)));
  } else if (JOINT == 2u) {
    count(max(most0, most1));
    count(max(most2, most3));
  } else {
    // repeat r 0..4
    count(most$r);
    // end repeat
  }
}
