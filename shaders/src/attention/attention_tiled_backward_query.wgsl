// dq_t = scale · Σ_j ds_tj k_j,  ds_tj = p_tj (dz_t · v_j − δ_t),  p recomputed from lse; a workgroup 32 queries of a head
// uses: attention, attention_tile, nan
// q [batch, queries, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// dz [batch, queries, heads, HEAD]
// stats [batch, heads, queries, 2]: lse, δ
// lengths [batch], read where masked = 1
// dq [batch, queries, heads, HEAD]

override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> dz: array<vec4f>;
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(64)
fn attention_tiled_backward_query(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (params.queries + TILE - 1u) / TILE;
  let item = group.y * groups.x + group.x;
  if (item >= params.batch * params.heads * tiles) {
    return;
  }
  // Late queries see most keys: they go first.
  let first = (tiles - 1u - item / (params.batch * params.heads)) * TILE;
  let h = item % params.heads;
  let b = (item / params.heads) % params.batch;
  let width = HEAD / 4u;
  // Rows of one head lie this far apart, in vec4s.
  let step = params.heads * width;
  let q_base = (b * params.queries * params.heads + h) * width;
  let k_base = (b * params.keys * params.heads + h) * width;
  let s_base = (b * params.heads + h) * params.queries;
  var limit = params.keys;
  if (params.masked == 1u) {
    limit = min(limit, lengths[b]);
  }
  let end = min(limit, params.past + min(first + TILE, params.queries));

  var sums: array<vec4f, 16>;
  for (var start = 0u; start < end; start += TILE) {
    var scores = array<f32, 16>();
    var slopes = array<f32, 16>();
    // First q · k, then dz · v.
    for (var turn = 0u; turn < 2u; turn++) {
      var products = array<f32, 16>();
      for (var slice = 0u; slice < width; slice += SLICE) {
        workgroupBarrier();
        for (var i = lane; i < 2u * TILE * SLICE; i += LANES) {
          let row = i / SLICE;
          let d = slice + i % SLICE;
          var value = vec4f();
          if (row < TILE) {
            let at = q_base + (first + row) * step + d;
            if (first + row < params.queries && d < width) {
              if (turn == 0u) {
                value = q[at];
              } else {
                value = dz[at];
              }
            }
          } else {
            let at = k_base + (start + row - TILE) * step + d;
            if (start + row - TILE < end && d < width) {
              if (turn == 0u) {
                value = k[at];
              } else {
                value = v[at];
              }
            }
          }
          staged[row * STRIDE + i % SLICE] = value;
        }
        workgroupBarrier();
        add_products(&products, lane);
      }
      if (turn == 0u) {
        scores = products;
      } else {
        slopes = products;
      }
    }
    for (var i = 0u; i < 4u; i++) {
      let row = lane / 8u + 8u * i;
      let stat = stats[s_base + min(first + row, params.queries - 1u)];
      let row_end = min(limit, params.past + first + row + 1u);
      for (var j = 0u; j < 4u; j++) {
        let column = lane % 8u + 8u * j;
        var ds = 0.0;
        if (start + column < row_end && first + row < params.queries) {
          ds = exp_or_nan(scores[4u * i + j] * params.scale - stat.x) * (slopes[4u * i + j] - stat.y) * params.scale;
        }
        pairs[row * PAIRS + column] = ds;
      }
    }
    for (var row = 0u; row < min(TILE, end - start); row += rows_staged()) {
      workgroupBarrier();
      let count = min(rows_staged(), min(TILE, end - start) - row);
      for (var i = lane; i < count * width; i += LANES) {
        staged[i] = k[k_base + (start + row + i / width) * step + i % width];
      }
      workgroupBarrier();
      add_rows(&sums, row, count, lane);
    }
  }
  for (var i = 0u; i < 4u; i++) {
    let row = lane / 8u + 8u * i;
    for (var n = 0u; n < 4u; n++) {
      let d = lane % 8u + 8u * n;
      if (first + row < params.queries && d < width) {
        dq[q_base + (first + row) * step + d] = sums[4u * i + n];
      }
    }
  }
}
