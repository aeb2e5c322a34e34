// u[r, j] = s[n] · Σ_c x[r, c] · f[n, j, first + c] for the rows r of task n: x Aₙᵀ, or s dy Bₙ; a workgroup four rows and up to four ranks, x by vec4s
// x [rows, width], width a multiple of 4
// factor: f[n, j, c] at n · task_stride + j · rank_stride + c · column_stride
// tiles [tiles]: task, first place in order, rows (0 to 4); task_count and above for rows without a task
// order [rows]: rows by task
// scales [task_count], s, if scaled; else s = 1
// u [rows, rank]; 0 in rows without a task
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
}

override WG: u32 = 32u;
// Ranks to a workgroup: 1, 2 or 4.
override BLOCK: u32 = 4u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> scales: array<f32>;
@group(0) @binding(5) var<storage, read_write> u: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> parts: array<f32, 16u * WG>;

fn factor_four(at: u32) -> vec4f {
  let s = params.column_stride;
  return vec4f(factor[at], factor[at + s], factor[at + 2u * s], factor[at + 3u * s]);
}

@compute @workgroup_size(WG)
fn low_rank_down4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = group.y * groups.x + group.x;
  let blocks = (params.rank + BLOCK - 1u) / BLOCK;
  if (number / blocks >= params.tiles) {
    return;
  }
  let tile = tiles[number / blocks];
  if (tile.z == 0u) {
    return;
  }
  let block = (number % blocks) * BLOCK;
  let fours = params.width / 4u;
  // Rows and ranks that there are not repeat the last one and are not stored.
  // repeat r 0..4
  let x$r = order[tile.y + min($(r)u, tile.z - 1u)] * fours;
  let f$r = tile.x * params.task_stride + min(block + $(r)u, params.rank - 1u) * params.rank_stride + params.first * params.column_stride;
  // end repeat
  // repeat e 0..16
  var sum$e = 0.0;
  // end repeat
  let count = select(0u, fours, tile.x < params.task_count);
  for (var i = lane; i < count; i += WG) {
    // repeat r 0..4
    let v$r = x[x$r + i];
    // end repeat
    let at = 4u * i * params.column_stride;
    // repeat j 0..4
    var w$j = vec4f(0.0);
    if ($(j)u < BLOCK) { w$j = factor_four(f$j + at); }
    // end repeat
    // repeat e 0..16
    if ($(e / 4)u < BLOCK) { sum$e += dot(v$(e % 4), w$(e / 4)); }
    // end repeat
  }
  // repeat e 0..16
  if ($(e / 4)u < BLOCK) { parts[$(e)u * WG + lane] = sum$e; }
  // end repeat
  workgroupBarrier();
  for (var e = lane; e < 4u * BLOCK; e += WG) {
    var total = 0.0;
    for (var i = 0u; i < WG; i += 1u) {
      total += parts[e * WG + i];
    }
    let j = block + e / 4u;
    if (e % 4u < tile.z && j < params.rank) {
      if (params.scaled != 0u) {
        total *= scales[min(tile.x, params.task_count - 1u)];
      }
      u[order[tile.y + e % 4u] * params.rank + j] = total;
    }
  }
}
