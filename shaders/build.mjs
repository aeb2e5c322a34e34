// Reads shaders/src/**/*.wgsl, checks the conventions of README.md and writes dist/index.js and dist/index.d.ts with literal types.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Storage buffers that WebGPU guarantees per shader stage. */
const MAX_STORAGE_BUFFERS = 8;
const PRELUDE_FOLDER = 'prelude';

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

/** `layernorm_forward` → `layernormForward`. */
export function exportName(stem) {
  return stem.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

/** A WGSL number literal as a JavaScript number, or undefined for an expression. */
function literal(text) {
  return /^-?(0x[0-9a-f]+|\d+(\.\d*)?(e[+-]?\d+)?|\.\d+)[iuf]?$/i.test(text)
    ? Number(text.replace(/[iu]$/, '').replace(/^((?!0x).*)f$/i, '$1'))
    : undefined;
}

/**
 * Parses one kernel file. `file` is its path below shaders/src with forward slashes; `preludeNames` the known prelude
 * families ('reduce', 'elem', …). Returns the descriptor; throws ShaderConventionError.
 */
export function parseKernel(file, code, preludeNames) {
  const problems = [];
  const complain = (line, what) => problems.push(`${file}:${line}: ${what}`);
  const stem = basename(file, '.wgsl');
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

  const params = [];
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(bare);
  if (!struct) complain(1, 'there is no `struct Params { … }`');
  else {
    for (const field of struct[1]
      .split(',')
      .map((text) => text.trim())
      .filter(Boolean)) {
      const match = /^(\w+)\s*:\s*(\w+)$/.exec(field);
      if (!match || !['u32', 'i32', 'f32'].includes(match[2])) {
        complain(lineAt(bare, struct.index), `Params field "${field}" is not a u32, i32 or f32 scalar`);
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
  if (/\batomic(Add|Sub|Max|Min)\b/.test(bare) && /atomic<f32>/.test(bare))
    complain(1, 'float atomics are not allowed');
  if (/#\s*(ifdef|if|include)\b/.test(bare)) complain(1, 'preprocessor lines are not allowed');
  const requires = [...bare.matchAll(/^\s*enable\s+([\w\s,]+);/gm)].flatMap((match) =>
    match[1].split(',').map((name) => name.trim()),
  );

  if (problems.length > 0) throw new ShaderConventionError(problems);
  return { name: stem, file, bindings, params, overrides, uses, requires, code };
}

/** A literal TypeScript type for plain data. */
function typeOf(value) {
  if (Array.isArray(value)) return `readonly [${value.map(typeOf).join(', ')}]`;
  if (value && typeof value === 'object') {
    const fields = Object.entries(value).map(([name, inner]) => `readonly ${name}: ${typeOf(inner)}`);
    return fields.length === 0 ? '{}' : `{ ${fields.join('; ')} }`;
  }
  return JSON.stringify(value).replace(/^"|"$/g, "'");
}

const TYPES = `// Generated by shaders/build.mjs from the WGSL files: literal types, so that bindings and params are checked against the shader.

/** One storage binding, numbered by its place in the list. */
export interface ShaderBinding { readonly name: string; readonly access: 'read' | 'write' }
/** One 4-byte field of the uniform block, in order. */
export interface ShaderParam { readonly name: string; readonly type: 'u32' | 'i32' | 'f32' }
/** A WGSL kernel as text with what its bindings, uniforms and overrides are called. */
export interface ShaderModule<
  Name extends string = string,
  Bindings extends readonly ShaderBinding[] = readonly ShaderBinding[],
  Params extends readonly ShaderParam[] = readonly ShaderParam[],
  Overrides extends { readonly [name: string]: number } = { readonly [name: string]: number },
  Uses extends readonly string[] = readonly string[],
> {
  /** The entry point and the label. */
  readonly name: Name;
  /** Path below shaders/src, for error messages. */
  readonly file: string;
  /** The file's own text; preludes go in front of it. */
  readonly code: string;
  readonly bindings: Bindings;
  readonly params: Params;
  /** Defaults of the override constants. */
  readonly overrides: Overrides;
  /** Prelude families: 'reduce' is reduce.tree or reduce.subgroup, 'elem' is elem.f32 or elem.f16, others are their own name. */
  readonly uses: Uses;
  /** WGSL features that the file itself enables. */
  readonly requires: readonly string[];
  /** Text of every variant of the used families, by name ('reduce.tree'). */
  readonly preludes: { readonly [name: string]: string };
}

/** Prelude text by name: 'reduce.tree', 'reduce.subgroup', 'elem.f32', 'elem.f16', 'random'. */
export declare const preludes: { readonly [name: string]: string };
`;

/** Every .wgsl below a folder, sorted, with forward slashes. */
export function wgslFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map((path) => String(path).replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.wgsl'))
    .sort();
}

/** Reads a source folder: { kernels: descriptor[], preludes: Record<name, text> }. Throws ShaderConventionError with all problems. */
export function readShaders(source) {
  const files = wgslFiles(source);
  const preludes = {};
  for (const file of files.filter((path) => path.startsWith(`${PRELUDE_FOLDER}/`))) {
    preludes[basename(file, '.wgsl')] = readFileSync(join(source, file), 'utf8');
  }
  const families = [...new Set(Object.keys(preludes).map((name) => name.split('.')[0]))];
  const problems = [];
  const kernels = [];
  const seen = new Map();
  for (const file of files.filter((path) => !path.startsWith(`${PRELUDE_FOLDER}/`))) {
    try {
      const kernel = parseKernel(file, readFileSync(join(source, file), 'utf8'), families);
      if (seen.has(kernel.name)) problems.push(`${file}:1: the name is taken by ${seen.get(kernel.name)}`);
      seen.set(kernel.name, file);
      kernels.push(kernel);
    } catch (error) {
      if (!(error instanceof ShaderConventionError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new ShaderConventionError(problems);
  return { kernels, preludes };
}

/** The two generated texts. */
export function generate({ kernels, preludes }) {
  const banner = '// Generated by shaders/build.mjs from the WGSL files; do not edit.';
  const js = [banner, `export const preludes = Object.freeze(${JSON.stringify(preludes, null, 2)});`];
  const types = [TYPES];
  for (const kernel of kernels) {
    const { name, file, bindings, params, overrides, uses, requires, code } = kernel;
    const variants = Object.keys(preludes).filter((prelude) => uses.includes(prelude.split('.')[0]));
    const picked = `{ ${variants.map((prelude) => `${JSON.stringify(prelude)}: preludes[${JSON.stringify(prelude)}]`).join(', ')} }`;
    const rest = JSON.stringify({ name, file, bindings, params, overrides, uses, requires, code }, null, 2).slice(
      0,
      -2,
    );
    js.push(`export const ${exportName(name)} = Object.freeze(${rest},\n  "preludes": ${picked}\n});`);
    const numbers = Object.keys(overrides).map((key) => `readonly ${key}: number`);
    types.push(
      `/** ${code.split('\n')[0].slice(3).replaceAll('*/', '* /')} — ${file} */\nexport declare const ${exportName(name)}: ShaderModule<'${name}', ` +
        `${typeOf(bindings)}, ${typeOf(params)}, { ${numbers.join('; ')} }, ${typeOf(uses)}>;`,
    );
  }
  return { js: `${js.join('\n\n')}\n`, types: `${types.join('\n')}\n` };
}

/** Writes through a rename, so that a reader never sees half a file. */
function writeWhole(path, text) {
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(fileURLToPath(import.meta.url));
  try {
    const shaders = readShaders(join(root, 'src'));
    const { js, types } = generate(shaders);
    mkdirSync(join(root, 'dist'), { recursive: true });
    writeWhole(join(root, 'dist/index.js'), js);
    writeWhole(join(root, 'dist/index.d.ts'), types);
    console.log(
      `${shaders.kernels.length} kernels, ${Object.keys(shaders.preludes).length} preludes → ${relative(process.cwd(), join(root, 'dist/index.js'))}`,
    );
  } catch (error) {
    if (!(error instanceof ShaderConventionError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
