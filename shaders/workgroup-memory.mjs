// Bytes of workgroup memory that a kernel takes at the largest workgroup, to keep it within what every WebGPU device has.

/** Invocations in a workgroup, and bytes of its memory, that WebGPU guarantees. */
export const MAX_INVOCATIONS = 256;
export const MAX_WORKGROUP_BYTES = 16384;

/** Bytes of an element type; those of prelude/elem are at most so wide. */
const ELEMENT_BYTES = { f16: 2, f32: 4, u32: 4, i32: 4, Elem: 4, vec2f: 8, vec2u: 8, vec4f: 16, vec4u: 16, Elem4: 16 };

/** A whole-number expression of numbers, names, + − * / % and brackets; undefined if it holds anything else. */
export function evaluate(text, values) {
  const plain = text.replace(/\b(\d+)[iu]\b/g, '$1').replace(/\s+/g, '');
  const tokens = plain.match(/\d+|[A-Za-z_]\w*|[-+*/%()]/g) ?? [];
  if (tokens.join('') !== plain) return undefined;
  const atom = () => {
    const token = tokens.shift();
    if (token !== '(') return /^\d/.test(token ?? '') ? Number(token) : values[token];
    const inner = sum();
    tokens.shift();
    return inner;
  };
  const product = () => {
    let value = atom();
    while (['*', '/', '%'].includes(tokens[0])) {
      const operator = tokens.shift();
      const right = atom();
      value = operator === '*' ? value * right : operator === '/' ? Math.floor(value / right) : value % right;
    }
    return value;
  };
  const sum = () => {
    let value = product();
    while (tokens[0] === '+' || tokens[0] === '-')
      value = tokens.shift() === '+' ? value + product() : value - product();
    return value;
  };
  const value = sum();
  return tokens.length === 0 && Number.isInteger(value) ? value : undefined;
}

/**
 * Bytes of every `var<workgroup>` of a text without comments, with WG = 256 and the other overrides at their defaults.
 * `problems` names variables whose size cannot be told.
 */
export function workgroupBytes(bare, overrides) {
  const values = { ...overrides, ...('WG' in overrides ? { WG: MAX_INVOCATIONS } : {}) };
  for (const [, name, value] of bare.matchAll(/\bconst\s+(\w+)\s*(?::\s*\w+\s*)?=\s*(\d+)[iu]?;/g)) {
    values[name] = Number(value);
  }
  let bytes = 0;
  const problems = [];
  for (const [, name, type] of bare.matchAll(/\bvar<workgroup>\s*(\w+)\s*:\s*([^;]+);/g)) {
    // Atomics take the bytes of what they hold.
    const array = /^array<\s*(\w+)\s*,\s*(.+)>$/.exec(type.trim().replace(/\batomic<\s*(\w+)\s*>/, '$1'));
    const count = array ? evaluate(array[2].trim(), values) : 1;
    const size = ELEMENT_BYTES[array ? array[1] : type.trim()];
    if (count === undefined || size === undefined) problems.push(name);
    else bytes += count * size;
  }
  return { bytes, problems };
}
