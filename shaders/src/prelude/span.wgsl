// Sum and maximum over spans of SPAN neighbouring lanes, each span a row of its own, by a tree in workgroup memory in an order fixed by SPAN.
// Needs `override WG: u32` and `override SPAN: u32` (a power of two that divides WG) in the kernel; call in uniform control flow
// with every lane; every lane receives its span's result.
var<workgroup> span_scratch: array<f32, WG>;

fn span_sum(value: f32, lane: u32) -> f32 {
  span_scratch[lane] = value;
  workgroupBarrier();
  for (var half = SPAN / 2u; half > 0u; half /= 2u) {
    if (lane % SPAN < half) {
      span_scratch[lane] += span_scratch[lane + half];
    }
    workgroupBarrier();
  }
  let total = span_scratch[lane - lane % SPAN];
  workgroupBarrier();
  return total;
}

fn span_max(value: f32, lane: u32) -> f32 {
  span_scratch[lane] = value;
  workgroupBarrier();
  for (var half = SPAN / 2u; half > 0u; half /= 2u) {
    if (lane % SPAN < half) {
      span_scratch[lane] = max(span_scratch[lane], span_scratch[lane + half]);
    }
    workgroupBarrier();
  }
  let top = span_scratch[lane - lane % SPAN];
  workgroupBarrier();
  return top;
}
