// scores[b, row + u, column(v)] = Σ_split partial[split, b, u, v], in the order of the splits
// partial [splits, examples, sources, slots]
// scores [examples, rows, columns], other elements untouched; column(v) = column + (v / run) · stride + v mod run
struct Params {
  splits: u32,
  examples: u32,
  sources: u32,
  slots: u32,
  rows: u32,
  columns: u32,
  row: u32,
  column: u32,
  run: u32,
  stride: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn edge_scores_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let size = params.examples * params.sources * params.slots;
  if (i >= size) {
    return;
  }
  var total = 0.0;
  for (var split = 0u; split < params.splits; split++) {
    total += partial[split * size + i];
  }
  let v = i % params.slots;
  let u = (i / params.slots) % params.sources;
  let example = i / (params.slots * params.sources);
  let column = params.column + (v / params.run) * params.stride + v % params.run;
  scores[(example * params.rows + params.row + u) * params.columns + column] = total;
}
