// Sum and maximum over a workgroup by a binary tree in workgroup memory: Σ_lane value, max_lane value, in an order fixed by WG.
// Needs `override WG: u32` in the kernel; call in uniform control flow with every lane; every lane receives the result.
var<workgroup> reduce_scratch: array<f32, WG>;

fn workgroup_sum(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  var count = WG;
  while (count > 1u) {
    let half = (count + 1u) / 2u;
    if (lane < count / 2u) {
      reduce_scratch[lane] += reduce_scratch[lane + half];
    }
    workgroupBarrier();
    count = half;
  }
  let total = reduce_scratch[0];
  workgroupBarrier();
  return total;
}

fn workgroup_max(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  var count = WG;
  while (count > 1u) {
    let half = (count + 1u) / 2u;
    if (lane < count / 2u) {
      reduce_scratch[lane] = max(reduce_scratch[lane], reduce_scratch[lane + half]);
    }
    workgroupBarrier();
    count = half;
  }
  let top = reduce_scratch[0];
  workgroupBarrier();
  return top;
}
