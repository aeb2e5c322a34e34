// Parses a kernel file and checks the conventions of README.md: name, equation, preludes, bindings, params, overrides, memory.
import { basename } from 'node:path';
import { expandRepeats } from './repeat.mjs';
import { MAX_INVOCATIONS, MAX_WORKGROUP_BYTES, workgroupBytes } from './workgroup-memory.mjs';

/** Storage buffers that WebGPU guarantees per shader stage. */
const MAX_STORAGE_BUFFERS = 8;

/** Thrown with every problem found in one file, as `file:line: problem`. */
export class ShaderConventionError extends Error {
  constructor(problems) {
    super(`shader conventions (shaders/README.md) are broken:\n  ${problems.join('\n  ')}`);
    this.code = 'shaders/convention';
    this.problems = problems;
  }
}

/** Replaces comments by spaces of equal length, so that offsets and lines stay true. */
function withoutComments(code) {
  return code.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
}

function lineAt(code, offset) {
  return code.slice(0, offset).split('\n').length;
}

/** Texts of every variant of a prelude family. */
function variantsOf(family, preludes) {
  return Object.keys(preludes)
    .filter((name) => name.split('.')[0] === family)
    .map((name) => preludes[name]);
}

/** A WGSL number literal as a JavaScript number, or undefined for an expression. */
function literal(text) {
  return /^-?(0x[0-9a-f]+|\d+(\.\d*)?(e[+-]?\d+)?|\.\d+)[iuf]?$/i.test(text)
    ? Number(text.replace(/[iu]$/, '').replace(/^((?!0x).*)f$/i, '$1'))
    : undefined;
}

/**
 * Parses one kernel file. `file` is its path below shaders/src with forward slashes; `preludes` the text of every
 * prelude by name ('reduce.tree', 'gelu', …). Returns the descriptor, its code with repeats written out; throws
 * ShaderConventionError.
 */
export function parseKernel(file, written, preludes) {
  const preludeNames = [...new Set(Object.keys(preludes).map((name) => name.split('.')[0]))];
  const problems = [];
  const complain = (line, what) => problems.push(`${file}:${line}: ${what}`);
  const stem = basename(file, '.wgsl');
  const { code, problems: misspelt } = expandRepeats(written);
  for (const [line, what] of misspelt) complain(line, what);
  const lines = code.split('\n');
  const bare = withoutComments(code);

  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(stem)) complain(1, `the file name "${stem}" is not snake_case`);
  if (!/^\/\/ \S/.test(lines[0])) complain(1, 'the first line must be the equation as a comment: // y = …');

  let uses = [];
  const usesLine = lines.findIndex((line) => line.startsWith('// uses:'));
  if (usesLine >= 0) {
    if (usesLine !== 1) complain(usesLine + 1, '"// uses:" belongs on the second line');
    uses = lines[usesLine]
      .slice('// uses:'.length)
      .split(',')
      .map((name) => name.trim());
    for (const name of uses) {
      if (!preludeNames.includes(name))
        complain(usesLine + 1, `no prelude "${name}" (there are ${preludeNames.join(', ')})`);
    }
  }

  const bindings = [];
  let uniform;
  const declaration = /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<\s*(\w+)\s*(?:,\s*(\w+)\s*)?>\s*(\w+)\s*:\s*([^;]+);/g;
  let expected = 0;
  for (const match of bare.matchAll(declaration)) {
    const [, group, number, space, access, name, type] = match;
    const line = lineAt(bare, match.index);
    if (group !== '0') complain(line, `binding "${name}" is in group ${group}; every binding is in group 0`);
    if (Number(number) !== expected)
      complain(line, `binding "${name}" is numbered ${number}; expected ${expected} (reading order)`);
    expected += 1;
    if (uniform) complain(line, `binding "${name}" follows the uniform, which must be last`);
    if (space === 'uniform') {
      if (name !== 'params' || type.trim() !== 'Params')
        complain(line, 'the uniform must be written `var<uniform> params: Params`');
      uniform = { name, line };
      continue;
    }
    if (space !== 'storage' || (access !== 'read' && access !== 'read_write')) {
      complain(line, `binding "${name}" must be var<storage, read>, var<storage, read_write> or the uniform`);
      continue;
    }
    const kind = access === 'read' ? 'read' : 'write';
    if (kind === 'read' && bindings.some((binding) => binding.access === 'write')) {
      complain(line, `input "${name}" follows an output; inputs come first`);
    }
    const documented =
      /\/\/\s*\S/.test(lines[line - 1].slice(lines[line - 1].indexOf(';'))) ||
      lines.some((text) => new RegExp(`^//\\s+${name}\\b`).test(text));
    if (!documented) complain(line, `binding "${name}" has no comment with its shape (// ${name} [rows, width])`);
    bindings.push({ name, access: kind });
  }
  if ((bare.match(/@binding\(/g) ?? []).length !== expected) {
    complain(1, 'a binding is not written `@group(0) @binding(n) var<…> name: type;`');
  }
  if (!uniform) complain(1, 'there is no `var<uniform> params: Params` as last binding');
  if (bindings.length > MAX_STORAGE_BUFFERS) {
    complain(1, `${bindings.length} storage buffers; WebGPU guarantees ${MAX_STORAGE_BUFFERS}`);
  }
  if (!bindings.some((binding) => binding.access === 'write'))
    complain(1, 'no binding is written (var<storage, read_write>)');

  // In the file itself, or in a prelude that a family of kernels shares.
  const sources = [
    [file, bare],
    ...uses.flatMap((name) =>
      variantsOf(name, preludes).map((text) => [`prelude/${name}.wgsl`, withoutComments(text)]),
    ),
  ];
  const structs = sources.flatMap(([path, text]) => {
    const match = /struct\s+Params\s*\{([^}]*)\}/.exec(text);
    return match ? [{ place: `${path}:${lineAt(text, match.index)}`, fields: match[1] }] : [];
  });
  if (structs.length === 0) complain(1, 'there is no `struct Params { … }`, here or in a prelude');
  if (structs.length > 1) complain(1, `struct Params is at ${structs.map(({ place }) => place).join(' and at ')}`);
  const params = [];
  for (const { place, fields } of structs) {
    for (const field of fields
      .split(',')
      .map((text) => text.trim())
      .filter(Boolean)) {
      const match = /^(\w+)\s*:\s*(\w+)$/.exec(field);
      if (!match || !['u32', 'i32', 'f32'].includes(match[2])) {
        problems.push(`${place}: Params field "${field}" is not a u32, i32 or f32 scalar`);
      } else params.push({ name: match[1], type: match[2] });
    }
  }

  const overrides = {};
  for (const match of bare.matchAll(/(@id\([^)]*\)\s*)?\boverride\s+(\w+)\s*(?::\s*\w+)?\s*(?:=\s*([^;]+))?;/g)) {
    const [, id, name, value] = match;
    const line = lineAt(bare, match.index);
    if (id) complain(line, `override "${name}" has an @id; overrides go by name`);
    if (value === undefined) complain(line, `override "${name}" has no default`);
    else if (value.trim() === 'true' || value.trim() === 'false') overrides[name] = value.trim() === 'true' ? 1 : 0;
    else if (literal(value.trim()) !== undefined) overrides[name] = literal(value.trim());
    // An override whose default is an expression of others is derived, not an option.
  }

  const entries = [...bare.matchAll(/@compute[\s\S]*?\bfn\s+(\w+)/g)].map((match) => match[1]);
  if (entries.length !== 1 || entries[0] !== stem) {
    complain(1, `the one entry point must be "${stem}" (found ${entries.join(', ') || 'none'})`);
  }
  // Variants of a family take the same memory, or the larger counts.
  const texts = [[bare], ...uses.map((name) => variantsOf(name, preludes).map((text) => withoutComments(text)))];
  const memory = texts.map((variants) => variants.map((text) => workgroupBytes(text, overrides)));
  for (const name of memory.flat().flatMap((part) => part.problems))
    complain(
      1,
      `the size of var<workgroup> ${name} is not an array of scalars or vectors with a size that can be told here`,
    );
  const bytes = memory.reduce((sum, variants) => sum + Math.max(0, ...variants.map((part) => part.bytes)), 0);
  if (bytes > MAX_WORKGROUP_BYTES)
    complain(
      1,
      `${bytes} bytes of workgroup memory at ${MAX_INVOCATIONS} invocations; WebGPU guarantees ${MAX_WORKGROUP_BYTES}`,
    );
  if (/\batomic(Add|Sub|Max|Min)\b/.test(bare) && /atomic<f32>/.test(bare))
    complain(1, 'float atomics are not allowed');
  if (/#\s*(ifdef|if|include)\b/.test(bare)) complain(1, 'preprocessor lines are not allowed');
  const requires = [...bare.matchAll(/^\s*enable\s+([\w\s,]+);/gm)].flatMap((match) =>
    match[1].split(',').map((name) => name.trim()),
  );

  if (problems.length > 0) throw new ShaderConventionError(problems);
  return { name: stem, file, bindings, params, overrides, uses, requires, code };
}
