// Storage elements as f16 packed in pairs into u32 (low half first): element i of array<Elem> w is elem_value(w[elem_index(i)], i).
// Needs no device feature; values widen to f32 exactly.
alias Elem = u32;
alias Elem4 = vec2u;

fn elem_index(i: u32) -> u32 {
  return i >> 1u;
}

fn elem_value(v: Elem, i: u32) -> f32 {
  return unpack2x16float(v)[i & 1u];
}

fn widen4(v: Elem4) -> vec4f {
  return vec4f(unpack2x16float(v.x), unpack2x16float(v.y));
}
