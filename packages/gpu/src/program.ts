// A program: one kernel with its variant and overrides settled, which is what a pipeline is made of.
import type { Capabilities } from './capabilities.js';
import { LimnError } from './errors.js';
import type { AnyShader, Variant } from './kernel.js';

/** Equal choices give the same object, so that identity is the cache key. */
export interface Program {
  readonly id: number;
  readonly shader: AnyShader;
  /** Chosen prelude names, in the order of the shader's `uses`. */
  readonly preludes: readonly string[];
  readonly overrides: Readonly<Record<string, number>>;
  /** For people and provenance: 'layernorm_forward[reduce.tree, WG=64]'. */
  readonly label: string;
}

const programs = new WeakMap<AnyShader, Map<string, Program>>();
let nextId = 1;

/** Settles variant and overrides against what the kernel uses and the device has. */
export function settleProgram(
  shader: AnyShader,
  capabilities: Capabilities,
  variant: Variant = {},
  overrides: Readonly<Record<string, number | undefined>> = {},
): Program {
  const preludes = shader.uses.map((family) => choosePrelude(shader, family, capabilities, variant));
  const values = settleOverrides(shader, overrides);
  const parts = [...preludes, ...Object.entries(values).map(([name, value]) => `${name}=${value}`)];
  const key = parts.join(', ');
  let known = programs.get(shader);
  if (!known) programs.set(shader, (known = new Map<string, Program>()));
  let program = known.get(key);
  if (!program) {
    program = {
      id: nextId++,
      shader,
      preludes,
      overrides: values,
      label: key ? `${shader.name}[${key}]` : shader.name,
    };
    known.set(key, program);
  }
  return program;
}

function choosePrelude(shader: AnyShader, family: string, capabilities: Capabilities, variant: Variant): string {
  const choice: Record<string, string> = {
    reduce: `reduce.${variant.reduce ?? (capabilities.subgroups ? 'subgroup' : 'tree')}`,
    elem: `elem.${variant.elem ?? 'f32'}`,
    out: `out.${variant.out ?? 'f32'}`,
    matrix: `matrix.${variant.matrix ?? 'f16x16'}`,
  };
  const name = choice[family] ?? family;
  if (name === 'reduce.subgroup' && !capabilities.subgroups)
    throw new LimnError(
      'gpu/variant',
      `kernel ${shader.name} was asked for its subgroup variant, but this device has no subgroups`,
      {
        details: { kernel: shader.name, variant: name },
        hint: "Ask for { reduce: 'tree' }, or leave the choice to the device.",
      },
    );
  if (family === 'matrix' && capabilities.subgroupMatrix.length === 0)
    throw new LimnError(
      'gpu/variant',
      `kernel ${shader.name} multiplies subgroup matrices, which this device does not have`,
      {
        details: { kernel: shader.name, variant: name },
        hint: 'They are experimental: openNodeGpu({ experimental: true }), or LIMN_EXPERIMENTAL=1, on a GPU that has them.',
      },
    );
  if (shader.preludes[name] === undefined)
    throw new LimnError(
      'gpu/variant',
      `kernel ${shader.name} has no prelude '${name}'; it has ${Object.keys(shader.preludes).join(', ') || 'none'}`,
      {
        details: { kernel: shader.name, variant: name, available: Object.keys(shader.preludes) },
      },
    );
  return name;
}

function settleOverrides(
  shader: AnyShader,
  given: Readonly<Record<string, number | undefined>>,
): Readonly<Record<string, number>> {
  const values: Record<string, number> = { ...shader.overrides };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(name in values) || !Number.isFinite(value))
      throw new LimnError(
        'gpu/override',
        `kernel ${shader.name} cannot take override ${name} = ${value}; it has ${Object.keys(values).join(', ') || 'none'}, all finite`,
        {
          details: { kernel: shader.name, override: name, value, available: Object.keys(values) },
        },
      );
    values[name] = value;
  }
  return values;
}
