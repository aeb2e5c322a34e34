// dk_j = scale · Σ_{t ≥ j − past} ds_tj q_t,  dv_j = Σ_{t ≥ j − past} p_tj dz_t,  ds as for dq; a workgroup 32 keys of a head
// uses: attention, attention_tile, nan
// q [batch, queries, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// dz [batch, queries, heads, HEAD]
// stats [batch, heads, queries, 2]: lse, δ
// lengths [batch], read where masked = 1
// dk [batch, keys, heads, HEAD]
// dv [batch, keys, heads, HEAD]

override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> dz: array<vec4f>;
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(64)
fn attention_tiled_backward_key_value(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (params.keys + TILE - 1u) / TILE;
  let item = group.y * groups.x + group.x;
  if (item >= params.batch * params.heads * tiles) {
    return;
  }
  // Early keys are seen by most queries, and come first.
  let first = item / (params.batch * params.heads) * TILE;
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
  // Queries before this one see none of the keys; behind the limit, nobody does.
  var begin = select(0u, first - params.past, first > params.past);
  if (first >= limit) {
    begin = params.queries;
  }

  var sums_k: array<vec4f, 16>;
  var sums_v: array<vec4f, 16>;
  for (var start = begin; start < params.queries; start += TILE) {
    var scores = array<f32, 16>();
    var slopes = array<f32, 16>();
    // First k · q, then v · dz.
    for (var turn = 0u; turn < 2u; turn++) {
      var products = array<f32, 16>();
      for (var slice = 0u; slice < width; slice += SLICE) {
        workgroupBarrier();
        for (var i = lane; i < 2u * TILE * SLICE; i += LANES) {
          let row = i / SLICE;
          let d = slice + i % SLICE;
          var value = vec4f();
          if (row < TILE) {
            let at = k_base + (first + row) * step + d;
            if (first + row < limit && d < width) {
              if (turn == 0u) {
                value = k[at];
              } else {
                value = v[at];
              }
            }
          } else {
            let at = q_base + (start + row - TILE) * step + d;
            if (start + row - TILE < params.queries && d < width) {
              if (turn == 0u) {
                value = q[at];
              } else {
                value = dz[at];
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
    // From scores and slopes of the pairs to p and ds.
    for (var j = 0u; j < 4u; j++) {
      let t = start + lane % 8u + 8u * j;
      let stat = stats[s_base + min(t, params.queries - 1u)];
      for (var i = 0u; i < 4u; i++) {
        let key = first + lane / 8u + 8u * i;
        var p = 0.0;
        var ds = 0.0;
        if (t < params.queries && key < limit && key <= params.past + t) {
          p = exp_or_nan(scores[4u * i + j] * params.scale - stat.x);
          ds = p * (slopes[4u * i + j] - stat.y) * params.scale;
        }
        scores[4u * i + j] = p;
        slopes[4u * i + j] = ds;
      }
    }
    // First dv, then dk.
    for (var turn = 0u; turn < 2u; turn++) {
      workgroupBarrier();
      for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
          let at = (lane / 8u + 8u * i) * PAIRS + lane % 8u + 8u * j;
          pairs[at] = select(slopes[4u * i + j], scores[4u * i + j], turn == 0u);
        }
      }
      for (var row = 0u; row < min(TILE, params.queries - start); row += rows_staged()) {
        workgroupBarrier();
        let count = min(rows_staged(), min(TILE, params.queries - start) - row);
        for (var i = lane; i < count * width; i += LANES) {
          let at = q_base + (start + row + i / width) * step + i % width;
          if (turn == 0u) {
            staged[i] = dz[at];
          } else {
            staged[i] = q[at];
          }
        }
        workgroupBarrier();
        if (turn == 0u) {
          add_rows(&sums_v, row, count, lane);
        } else {
          add_rows(&sums_k, row, count, lane);
        }
      }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    let row = lane / 8u + 8u * i;
    for (var n = 0u; n < 4u; n++) {
      let d = lane % 8u + 8u * n;
      if (first + row < params.keys && d < width) {
        let at = k_base + (first + row) * step + d;
        dk[at] = sums_k[4u * i + n];
        dv[at] = sums_v[4u * i + n];
      }
    }
  }
}
