// A lane's share of KL over a row of logits x and log-probabilities logp, each read once: numbers rank, rank + stride, … of the row's.
// Sums about the largest x so far, which its growth moves: Σ exp(x − top), Σ p and D = Σ p · (logp − (x − top)).
// Needs `x` and `logp: array<f32>` and width in Params. Uses prelude/running.wgsl and prelude/nan.wgsl.
struct KlRunning {
  run: Running,
  mass: vec4f,
  distance: vec4f,
}

// What D changes by when it is taken about another top; nothing where no mass was met.
fn kl_moved(mass: vec4f, old_top: vec4f, new_top: vec4f) -> vec4f {
  return select(mass * (new_top - old_top), vec4f(), bitcast<vec4u>(mass) == vec4u());
}

fn kl_scan(start: u32, rank: u32, stride: u32) -> KlRunning {
  var run = running_none();
  var mass = vec4f();
  var distance = vec4f();
  let steps = stride * vec4u(0u, 1u, 2u, 3u);
  let end = start + params.width;
  for (var i = start + rank; i < end; i += 4u * stride) {
    let at = min(i + steps, vec4u(end - 1u));
    let inside = i + steps < vec4u(end);
    let logits = vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
    let logs = vec4f(logp[at.x], logp[at.y], logp[at.z], logp[at.w]);
    let p = select(vec4f(), exp_or_nan4(logs), inside);
    let old_top = run.top;
    run = running_some(run, logits, inside);
    // p = 0 adds nothing, whatever its logarithm; a NaN does.
    let terms = select(p * (logs - (logits - run.top)), vec4f(), bitcast<vec4u>(p) == vec4u());
    distance += kl_moved(mass, old_top, run.top) + terms;
    mass += p;
  }
  return KlRunning(run, mass, distance);
}

// D about the row's top.
fn kl_distance(part: KlRunning, top: f32) -> f32 {
  let all = part.distance + kl_moved(part.mass, part.run.top, vec4f(top));
  return (all.x + all.y) + (all.z + all.w);
}

fn kl_mass(part: KlRunning) -> f32 {
  return (part.mass.x + part.mass.y) + (part.mass.z + part.mass.w);
}
