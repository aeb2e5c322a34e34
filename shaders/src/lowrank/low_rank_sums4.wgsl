// d[p, j, first + c] = s[n] · Σ_r u[r, j] · x[r, c] over the rows r of part p, in their order, n its task; other columns are 0: duᵀ x, or s dyᵀ u; a lane four columns and up to four ranks
// u [rows, rank]
// x [rows, width]; width, first and columns are multiples of 4
// parts [parts]: task, first place in order, rows
// order [rows]: rows by task
// scales [tasks], s, if scaled; else s = 1
// d [p, j, c] at p · part_stride + j · rank_stride + c · column_stride, c < columns
struct Params {
  parts: u32,
  rank: u32,
  width: u32,
  first: u32,
  columns: u32,
  part_stride: u32,
  rank_stride: u32,
  column_stride: u32,
  scaled: u32,
}

override WG: u32 = 64u;
// Ranks to a lane: 1, 2 or 4.
override BLOCK: u32 = 4u;

@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> parts: array<vec4u>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> scales: array<f32>;
@group(0) @binding(5) var<storage, read_write> d: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn low_rank_sums4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let fours = params.columns / 4u;
  let blocks = (params.rank + BLOCK - 1u) / BLOCK;
  let number = i / (fours * blocks);
  if (number >= params.parts) {
    return;
  }
  let part = parts[number];
  let block = ((i / fours) % blocks) * BLOCK;
  let column = 4u * (i % fours);
  // repeat j 0..4
  var sum$j = vec4f(0.0);
  let j$j = min(block + $(j)u, params.rank - 1u);
  // end repeat
  if (column >= params.first && column < params.first + params.width) {
    let c = (column - params.first) / 4u;
    for (var k = part.y; k < part.y + part.z; k += 1u) {
      let row = order[k];
      let v = x[row * (params.width / 4u) + c];
      // repeat j 0..4
      if ($(j)u < BLOCK) { sum$j += u[row * params.rank + j$j] * v; }
      // end repeat
    }
  }
  var scale = 1.0;
  if (params.scaled != 0u) {
    scale = scales[part.x];
  }
  let s = params.column_stride;
  let at = number * params.part_stride + column * s;
  // repeat j 0..4
  if ($(j)u < BLOCK && block + $(j)u < params.rank) {
    let to$j = at + (block + $(j)u) * params.rank_stride;
    d[to$j] = scale * sum$j.x;
    d[to$j + s] = scale * sum$j.y;
    d[to$j + 2u * s] = scale * sum$j.z;
    d[to$j + 3u * s] = scale * sum$j.w;
  }
  // end repeat
}
