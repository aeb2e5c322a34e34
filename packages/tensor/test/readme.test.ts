// The README's example runs as it stands there, and names every op of the public list.
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { testGpu } from '@limn/testing';
import * as tensor from '../src/index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const source = readFileSync(new URL(import.meta.url), 'utf8');

describe('README', () => {
  it('shows this code', async () => {
    const gpu = await testGpu();
    const { adamw, crossEntropy, fromData, gradients, matmul, mean, persistent, read } = tensor;
    const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    // example
    const weight = persistent(gpu, [4, 3], new Float32Array(12)); // [C, V], lives until dispose()
    const optimiser = adamw(gpu, [{ params: [{ name: 'weight', tensor: weight }], rate: 0.1, clipNorm: 1 }]);

    using step = gpu.step();
    const x = fromData(step, [1, 0, 0, 0, 0, 1, 0, 0], [2, 4]); // [N, C]
    const targets = fromData(step, Uint32Array.of(2, 0), [2]);
    const loss = mean(step, crossEntropy(step, matmul(step, x, weight), targets));
    const grads = gradients(step, loss, 'ones', optimiser.tensors);
    optimiser.step(step, grads); // in place, outside the tape
    console.log(await read(step, loss)); // ln 3: runs everything in one submit
    // end
    expect(printed.mock.calls[0]?.[0][0]).toBeCloseTo(Math.log(3), 6);
    printed.mockRestore();
    expect((await gpu.read(weight.storage, 'f32'))[2]).toBeCloseTo(0.1, 4);
    optimiser.dispose();
    weight.dispose();
    const shown = source
      .slice(source.indexOf('// example\n') + 11, source.indexOf('    // end\n'))
      .replaceAll(/^ {4}/gm, '');
    expect(readme).toContain(shown);
  });

  it('names every function of the public list', () => {
    const functions = Object.entries(tensor).filter(([, value]) => typeof value === 'function');
    const missing = functions.map(([name]) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(readme));
    expect(missing).toEqual([]);
  });
});
