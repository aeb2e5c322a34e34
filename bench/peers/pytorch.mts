// PyTorch, where Python has it: a child process does the jobs and says how much CPU time each run took there.
import path from 'node:path';
import type { DictionaryUpdateSpec } from '../dictionary-update/spec.mjs';
import type { Contender, JobSpec, Peer } from '../harness/contender.mjs';
import { ChildConversation, type Answer } from './child-conversation.mjs';

/** A float32 array by name, with its shape. */
type NamedArray = readonly [name: string, shape: readonly number[], values: Float32Array];

/** What PyTorch can do beside what other peers can. */
type PytorchSpec = JobSpec | DictionaryUpdateSpec;

/** PyTorch; an update goes on from the one before, and its result is the loss, FVU and L0 of one more. */
export interface Pytorch extends Peer {
  prepare(spec: PytorchSpec): Promise<Contender>;
}

/** Opens PyTorch in `python`: PYTHON from the environment, else python3. */
export const openPytorch =
  (python = process.env['PYTHON'] || 'python3'): (() => Promise<Pytorch | { readonly missing: string }>) =>
  async () => {
    const child = new ChildConversation(python, [path.join(import.meta.dirname, 'pytorch-jobs.py')]);
    let hello: Answer;
    try {
      hello = await child.answer();
    } catch (error) {
      child.end();
      const reason = (error as Error).message;
      return {
        missing: `PyTorch is not at hand (${reason}): ${python} -m pip install torch, or name another Python in PYTHON`,
      };
    }
    const name = `pytorch ${String(hello['device'])} ${String(hello['version'])}`;
    let jobs = 0;
    const peer: Pytorch = {
      name,
      prepare: (spec) => contender(child, name, jobs++, spec),
      close: () => child.end(),
    };
    return peer;
  };

async function contender(child: ChildConversation, name: string, id: number, spec: PytorchSpec): Promise<Contender> {
  const { sizes, arrays } = described(spec);
  const request = { do: 'prepare', id, spec: sizes, arrays: arrays.map(([array, shape]) => [array, shape]) };
  await child.ask(
    request,
    arrays.map(([, , values]) => values),
  );
  let cpuMilliseconds = 0;
  return {
    name,
    async run(count) {
      cpuMilliseconds = Number((await child.ask({ do: 'run', id, count }))['cpuMilliseconds']);
    },
    async result() {
      const { length } = await child.ask({ do: 'result', id });
      return child.floats(Number(length));
    },
    lastCpuMilliseconds: () => cpuMilliseconds,
    dispose: async () => void (await child.ask({ do: 'dispose', id })),
  };
}

/** A job without its numbers, and its numbers. */
function described(spec: PytorchSpec): {
  readonly sizes: Readonly<Record<string, unknown>>;
  readonly arrays: NamedArray[];
} {
  const { kind } = spec;
  switch (spec.kind) {
    case 'matmul':
      return {
        sizes: { kind },
        arrays: [
          ['a', [spec.m, spec.k], spec.a],
          ['b', [spec.k, spec.n], spec.b],
        ],
      };
    case 'trunk':
    case 'decode': {
      const { heads, width, blocks } = spec;
      const rowsIn: Record<string, number> = {
        attentionIn: width,
        attentionOut: width,
        mlpIn: width,
        mlpOut: 4 * width,
      };
      const arrays: NamedArray[] = [['x', [spec.x.length / width, width], spec.x]];
      blocks.forEach((block, i) => {
        for (const [name, values] of Object.entries(block) as [string, Float32Array][]) {
          const rows = rowsIn[name];
          arrays.push([`${i}.${name}`, rows === undefined ? [values.length] : [rows, values.length / rows], values]);
        }
        if (spec.kind === 'trunk') return;
        const shape = [spec.past, heads, width / heads];
        arrays.push([`${i}.keys`, shape, spec.keys[i]!], [`${i}.values`, shape, spec.values[i]!]);
      });
      return { sizes: { kind, heads, width, layers: blocks.length }, arrays };
    }
    case 'dictionary update': {
      const { rate, deadAfter, config, loss, sizes, x, y, wEnc, bEnc, wDec, bDec, sinceFired } = spec;
      const { tokens, width, features } = sizes;
      const { auxiliary, sparsity } = loss;
      const form =
        config.activation.kind === 'top-k' ? { k: config.activation.k, auxiliary } : { l1: sparsity?.weight };
      return {
        sizes: { kind, rate, deadAfter, ...form },
        arrays: [
          ['x', [tokens, width], x],
          ['y', [tokens, width], y],
          ['wEnc', [features, width], wEnc],
          ['bEnc', [features], bEnc],
          ['wDec', [features, width], wDec],
          ['bDec', [width], bDec],
          // Whole numbers up to 2²⁴ are themselves in float32.
          ['sinceFired', [features], Float32Array.from(sinceFired)],
        ],
      };
    }
    default:
      return {
        sizes: { kind },
        arrays: [
          ['x', [spec.rows, spec.width], spec.x],
          ['gamma', [spec.width], spec.gamma],
          ['beta', [spec.width], spec.beta],
        ],
      };
  }
}
