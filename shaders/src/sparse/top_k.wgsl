// values[n, j], indices[n, j] = the j-th largest of x[n, :] and its place; equal values by the lower place; NaN below everything
// uses: order
// x [rows, width]
// values [rows, k]
// indices [rows, k]
struct Params {
  rows: u32,
  width: u32,
  k: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> best_keys: array<u32, WG>;
var<workgroup> best_places: array<u32, WG>;

const NOWHERE = 0xffffffffu;

@compute @workgroup_size(WG)
fn top_k(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  // What was chosen last: the next choice has a smaller key, or the same key at a higher place.
  var last_key = NOWHERE;
  var last_place = 0u;
  for (var j = 0u; j < params.k; j += 1u) {
    var key = 0u;
    var place = NOWHERE;
    for (var v = lane; v < params.width; v += WG) {
      let candidate = order_key(x[start + v]);
      let open = j == 0u || candidate < last_key || (candidate == last_key && v > last_place);
      if (open && (place == NOWHERE || candidate > key)) {
        key = candidate;
        place = v;
      }
    }
    best_keys[lane] = key;
    best_places[lane] = place;
    workgroupBarrier();
    var count = WG;
    while (count > 1u) {
      let half = (count + 1u) / 2u;
      if (lane < count / 2u) {
        let other_key = best_keys[lane + half];
        let other_place = best_places[lane + half];
        let mine = best_keys[lane];
        // NOWHERE has key 0 and the highest place, so it loses every comparison.
        if (other_key > mine || (other_key == mine && other_place < best_places[lane])) {
          best_keys[lane] = other_key;
          best_places[lane] = other_place;
        }
      }
      workgroupBarrier();
      count = half;
    }
    last_key = best_keys[0];
    last_place = best_places[0];
    workgroupBarrier();
    if (lane == 0u) {
      values[row * params.k + j] = x[start + last_place];
      indices[row * params.k + j] = last_place;
    }
  }
}
