// y[r, c] = base[r, c] + s[n] · Σ_j u[r, j] · f[n, j, first + c] for the rows r of task n: u Bₙᵀ, or du Aₙ; a lane four rows of a column
// u [rows, rank]
// factor: f[n, j, c] at n · task_stride + j · rank_stride + c · column_stride
// base [rows, width], if based; else 0
// tiles [tiles]: task, first place in order, rows (0 to 4); task_count and above for rows without a task, in which y is base, bit for bit
// order [rows]: rows by task
// scales [task_count], s, if scaled; else s = 1
// y [rows, width]
struct Params {
  tiles: u32,
  task_count: u32,
  rank: u32,
  width: u32,
  first: u32,
  task_stride: u32,
  rank_stride: u32,
  column_stride: u32,
  scaled: u32,
  based: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read> scales: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn low_rank_up(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i / params.width >= params.tiles) {
    return;
  }
  let tile = tiles[i / params.width];
  if (tile.z == 0u) {
    return;
  }
  let c = i % params.width;
  // repeat r 0..4
  let row$r = order[tile.y + min($(r)u, tile.z - 1u)];
  var b$r = 0.0;
  if (params.based != 0u) { b$r = base[row$r * params.width + c]; }
  // end repeat
  if (tile.x < params.task_count) {
    var at = tile.x * params.task_stride + (params.first + c) * params.column_stride;
    // repeat r 0..4
    var sum$r = 0.0;
    // end repeat
    for (var j = 0u; j < params.rank; j += 1u) {
      let w = factor[at];
      at += params.rank_stride;
      // repeat r 0..4
      sum$r += u[row$r * params.rank + j] * w;
      // end repeat
    }
    var scale = 1.0;
    if (params.scaled != 0u) {
      scale = scales[tile.x];
    }
    // repeat r 0..4
    b$r += scale * sum$r;
    // end repeat
  }
  // repeat r 0..4
  if ($(r)u < tile.z) { y[row$r * params.width + c] = b$r; }
  // end repeat
}
