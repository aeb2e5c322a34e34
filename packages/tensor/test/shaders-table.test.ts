// shaders/README.md lists every kernel with its op and test, and the build refuses files that break the conventions.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../../../shaders');

interface Parse {
  parseKernel(file: string, code: string, preludes: Readonly<Record<string, string>>): unknown;
}
interface Build {
  readShaders(source: string): { kernels: { name: string; file: string }[]; preludes: Record<string, string> };
  generate(shaders: unknown): { js: string; types: string };
  wgslFiles(source: string): string[];
}
interface Table {
  tableRows(): { rows: string[]; problems: string[] };
  renderTable(): string;
  writtenTable(): string;
}
const load = async <T>(name: string): Promise<T> => (await import(pathToFileURL(join(folder, name)).href)) as T;
const { parseKernel } = await load<Parse>('parse-kernel.mjs');
const build = await load<Build>('build.mjs');
const table = await load<Table>('table.mjs');

describe('shaders/README.md', () => {
  it('has a row for every kernel file, and a file for every row', () => {
    const written = table.writtenTable();
    const listed = [...written.matchAll(/\]\(src\/([^)]+\.wgsl)\)/g)].map((match) => match[1]!);
    const files = build.wgslFiles(join(folder, 'src')).filter((path) => !path.startsWith('prelude/'));
    expect(listed.sort()).toEqual(files.sort());
  });

  it('names an op and a test that exist for every kernel', () => {
    expect(table.tableRows().problems).toEqual([]);
    for (const match of table.writtenTable().matchAll(/\]\((\.\.\/[^)]+)\)/g))
      expect(existsSync(join(folder, match[1]!)), match[1]).toBe(true);
  });

  it('is what node shaders/table.mjs --write would write', () => {
    expect(table.writtenTable()).toBe(table.renderTable());
  });

  it('mentions every prelude', () => {
    const text = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const name of Object.keys(build.readShaders(join(folder, 'src')).preludes))
      expect(text).toContain(name.split('.')[0]);
  });
});

const good = `// y = 2 x
// x [count]
// y [count]
struct Params {
  count: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn twice(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.count) {
    y[id.x] = 2.0 * x[id.x];
  }
}
`;

describe('shaders/build.mjs', () => {
  it('reads bindings, params and overrides', () => {
    expect(parseKernel('math/twice.wgsl', good, {})).toMatchObject({
      name: 'twice',
      bindings: [
        { name: 'x', access: 'read' },
        { name: 'y', access: 'write' },
      ],
      params: [{ name: 'count', type: 'u32' }],
      overrides: { WG: 64 },
      uses: [],
    });
  });

  for (const [what, from, to, message] of [
    ['no equation', '// y = 2 x\n', '\n', /twice\.wgsl:1: the first line must be the equation/],
    ['an unknown prelude', '// x [count]', '// uses: magic\n// x [count]', /twice\.wgsl:2: no prelude "magic"/],
    ['an undocumented binding', '// x [count]\n', '', /binding "x" has no comment/],
    ['a gap in the numbers', '@binding(1)', '@binding(3)', /binding "y" is numbered 3; expected 1/],
    ['another group', '@group(0) @binding(1)', '@group(1) @binding(1)', /binding "y" is in group 1/],
    ['a vector in Params', 'count: u32', 'count: vec2u', /Params field "count: vec2u" is not/],
    ['an override without default', 'u32 = 64u', 'u32', /override "WG" has no default/],
    ['another entry point', 'fn twice', 'fn thrice', /entry point must be "twice"/],
    ['no uniform', '@group(0) @binding(2) var<uniform> params: Params;', '', /no `var<uniform> params: Params`/],
    ['an output before an input', 'read> x', 'read_write> x', undefined],
  ] as const)
    it(`refuses ${what}`, () => {
      const broken = good.replace(from, to);
      expect(broken).not.toBe(good);
      if (message) expect(() => parseKernel('math/twice.wgsl', broken, {})).toThrow(message);
      else
        expect(() => parseKernel('math/twice.wgsl', broken.replace('read_write> y', 'read> y'), {})).toThrow(
          /input "y" follows an output/,
        );
    });

  it('takes Params from a prelude that a family shares, from one place only', () => {
    const struct = /struct Params \{[^}]*\}\n/.exec(good)![0];
    const sharing = good.replace(struct, '').replace('// x [count]', '// uses: family\n// x [count]');
    expect(parseKernel('math/twice.wgsl', sharing, { family: `// sizes\n${struct}` })).toMatchObject({
      params: [{ name: 'count', type: 'u32' }],
      uses: ['family'],
    });
    expect(() => parseKernel('math/twice.wgsl', sharing, { family: '' })).toThrow(/no `struct Params/);
    expect(() => parseKernel('math/twice.wgsl', sharing + struct, { family: struct })).toThrow(
      /struct Params is at math\/twice\.wgsl:\d+ and at prelude\/family\.wgsl:1/,
    );
    expect(() => parseKernel('math/twice.wgsl', sharing, { family: `\n${struct.replace('u32', 'vec2u')}` })).toThrow(
      /prelude\/family\.wgsl:2: Params field "count: vec2u" is not/,
    );
  });

  it('refuses more storage buffers than WebGPU guarantees', () => {
    const many = Array.from(
      { length: 8 },
      (_, i) => `@group(0) @binding(${i}) var<storage, read> b${i}: array<f32>; // [1]`,
    );
    const code = good
      .replace('@group(0) @binding(0) var<storage, read> x: array<f32>;\n', `${many.join('\n')}\n`)
      .replace('@binding(1) var<storage, read_write> y', '@binding(8) var<storage, read_write> y')
      .replace('@binding(2) var<uniform>', '@binding(9) var<uniform>');
    expect(() => parseKernel('math/twice.wgsl', code, {})).toThrow(/9 storage buffers; WebGPU guarantees 8/);
  });

  it('refuses more workgroup memory than WebGPU guarantees, at the largest workgroup', () => {
    const holding = (size: string, first = '') =>
      good
        .replace('// x [count]', `${first}// x [count]`)
        .replace('@compute', `const TILE: u32 = 15u;\nvar<workgroup> tile: array<vec4f, ${size}>;\n\n@compute`);
    const reduce = { 'reduce.tree': 'var<workgroup> scratch: array<f32, WG>;' };
    expect(() => parseKernel('math/twice.wgsl', holding('(TILE - 11u) * WG'), reduce)).not.toThrow();
    expect(() => parseKernel('math/twice.wgsl', holding('(TILE - 11u) * (WG + 1u)'), reduce)).toThrow(
      /twice\.wgsl:1: 16448 bytes of workgroup memory at 256 invocations; WebGPU guarantees 16384/,
    );
    expect(() => parseKernel('math/twice.wgsl', holding('4u * WG', '// uses: reduce\n'), reduce)).toThrow(
      /17408 bytes of workgroup memory/,
    );
    expect(() => parseKernel('math/twice.wgsl', holding('LANES'), reduce)).toThrow(/the size of var<workgroup> tile/);
  });

  it('gives the same text for the same files', () => {
    const once = build.generate(build.readShaders(join(folder, 'src')));
    expect(build.generate(build.readShaders(join(folder, 'src')))).toEqual(once);
    expect(once.types).toContain("export declare const layernormForward: ShaderModule<'layernorm_forward'");
  });
});
