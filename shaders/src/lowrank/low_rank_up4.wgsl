// y[r, c] = base[r, c] + s[n] · Σ_j u[r, j] · f[n, j, first + c] for the rows r of task n: u Bₙᵀ, or du Aₙ; a lane four rows and four columns
// u [rows, rank]
// factor: f[n, j, c] at n · task_stride + j · rank_stride + c · column_stride
// base [rows, width], if based; else 0
// tiles [tiles]: task, first place in order, rows (0 to 4); task_count and above for rows without a task, in which y is base, bit for bit
// order [rows]: rows by task
// scales [task_count], s, if scaled; else s = 1
// y [rows, width], width a multiple of 4
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
@group(0) @binding(2) var<storage, read> base: array<vec4f>;
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read> scales: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn low_rank_up4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let fours = params.width / 4u;
  if (i / fours >= params.tiles) {
    return;
  }
  let tile = tiles[i / fours];
  if (tile.z == 0u) {
    return;
  }
  let c = i % fours;
  // repeat r 0..4
  let row$r = order[tile.y + min($(r)u, tile.z - 1u)];
  var b$r = vec4f(0.0);
  if (params.based != 0u) { b$r = base[row$r * fours + c]; }
  // end repeat
  if (tile.x < params.task_count) {
    let s = params.column_stride;
    var at = tile.x * params.task_stride + (params.first + 4u * c) * s;
    // repeat r 0..4
    var sum$r = vec4f(0.0);
    // end repeat
    for (var j = 0u; j < params.rank; j += 1u) {
      let w = vec4f(factor[at], factor[at + s], factor[at + 2u * s], factor[at + 3u * s]);
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
  if ($(r)u < tile.z) { y[row$r * fours + c] = b$r; }
  // end repeat
}
