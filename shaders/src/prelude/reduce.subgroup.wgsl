// Sum and maximum over a workgroup by one subgroup operation: Σ_lane value, max_lane value, in an order fixed by WG and the subgroup size.
// Every subgroup reads all WG values, strided by its own rank, so the order does not depend on which lanes the adapter put in which subgroup.
// Needs `override WG: u32` (a power of two) in the kernel; call in uniform control flow with every lane; every lane receives the result.
enable subgroups;

var<workgroup> reduce_scratch: array<f32, WG>;

fn workgroup_sum(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  let rank = subgroupExclusiveAdd(1u);
  let size = subgroupAdd(1u);
  var part = 0.0;
  for (var i = rank; i < WG; i += size) {
    part += reduce_scratch[i];
  }
  let total = subgroupAdd(part);
  workgroupBarrier();
  return total;
}

fn workgroup_max(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  let rank = subgroupExclusiveAdd(1u);
  let size = subgroupAdd(1u);
  var part = reduce_scratch[0];
  for (var i = rank; i < WG; i += size) {
    part = max(part, reduce_scratch[i]);
  }
  let top = subgroupMax(part);
  workgroupBarrier();
  return top;
}
