// Σ exp(x − top) of numbers that are read once: four sums beside each other, each about the largest number that it has met.
// Uses prelude/nan.wgsl and prelude/softmax.wgsl.
struct Running {
  top: vec4f,
  sum: vec4f,
  as_i32: vec4i,
  as_u32: vec4u,
}

fn running_none() -> Running {
  return Running(vec4f(LOWEST), vec4f(), vec4i(-0x7fffffff), vec4u());
}

// Sixteen numbers more; their maximum first, so that the sums move to a new one once.
fn running_sixteen(old: Running, a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Running {
  let top = max(max(old.top, max(a, b)), max(c, d));
  let terms = (exp(a - top) + exp(b - top)) + (exp(c - top) + exp(d - top));
  return Running(
    top,
    old.sum * exp(old.top - top) + terms,
    max(max(old.as_i32, max(bitcast<vec4i>(a), bitcast<vec4i>(b))), max(bitcast<vec4i>(c), bitcast<vec4i>(d))),
    max(max(old.as_u32, max(bitcast<vec4u>(a), bitcast<vec4u>(b))), max(bitcast<vec4u>(c), bitcast<vec4u>(d))),
  );
}

// Those of four numbers that are inside.
fn running_some(old: Running, numbers: vec4f, inside: vec4<bool>) -> Running {
  let v = select(vec4f(LOWEST), numbers, inside);
  let top = max(old.top, v);
  return Running(
    top,
    old.sum * exp(old.top - top) + select(vec4f(), exp(v - top), inside),
    max(old.as_i32, bitcast<vec4i>(v)),
    max(old.as_u32, bitcast<vec4u>(v)),
  );
}

// The largest number; nothing that another lane's maximum could be lost in if one is NaN.
fn running_top(run: Running) -> f32 {
  return select(max(max(run.top.x, run.top.y), max(run.top.z, run.top.w)), LOWEST, spoilt(run.as_i32, run.as_u32));
}

// Σ exp(x − top) about a top that is not smaller, negative if a NaN or +∞ is among the numbers, as prelude/softmax.wgsl has it.
fn running_sum(run: Running, top: f32) -> f32 {
  let parts = run.sum * exp(run.top - top);
  return select((parts.x + parts.y) + (parts.z + parts.w), -1e30, spoilt(run.as_i32, run.as_u32));
}
