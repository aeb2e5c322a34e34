// The job of an optimiser: an update of AdamW beside a kernel that copies as many bytes. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { adamw, persistent, readFloats, type Tensor } from '@limn/tensor';
import { copyKernel } from './ceilings.mjs';
import type { Contender } from './contender.mjs';
import type { Job } from './job.mjs';
import { limnContender } from './limn-contender.mjs';
import { compare, numbers, places } from './numbers.mjs';
import { rawKernel } from './raw-kernel.mjs';

const settings = { rate: 0.01, betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.1 } as const;

/** Updates of one parameter [rows, width], the same gradient again and again. */
export function adamwJob(rows: number, width: number): Job {
  const size = rows * width;
  const [start, slope] = [numbers(size, 10), numbers(size, 11)];
  // Gradient, parameter and both moments are read, all but the gradient written.
  const bytes = 7 * 4 * size;
  const open = (gpu: Gpu): Contender => {
    const parameter = persistent(gpu, [rows, width], start);
    const gradient = persistent(gpu, [rows, width], slope);
    const optimiser = adamw(gpu, [{ params: [{ name: 'parameter', tensor: parameter }], ...settings }]);
    const free = (): void => [parameter, gradient, optimiser].forEach((each) => each.dispose());
    const record = (step: Parameters<typeof optimiser.step>[0]): Tensor => {
      optimiser.step(step, [gradient]);
      return parameter;
    };
    return {
      ...limnContender(gpu, record, free),
      // One update, of the parameter as it was at first.
      async result() {
        optimiser.load({
          version: 1,
          groups: [
            {
              name: 'group 0',
              count: 0,
              params: [{ name: 'parameter', first: new Float32Array(size), second: new Float32Array(size) }],
            },
          ],
        });
        gpu.write(parameter.storage, start);
        using step = gpu.step({ label: 'one update' });
        return readFloats(step, record(step));
      },
    };
  };
  return {
    name: `adamw ${rows} × ${width}`,
    group: 'kernels',
    work: { bytes },
    ceiling: 'copy-kernel',
    beside: [{ name: 'copy kernel of as many bytes', open: (gpu) => rawKernel(gpu.device, copyKernel(bytes / 2)) }],
    open: async (gpu) => open(gpu),
    check(result) {
      const { rate, epsilon, weightDecay } = settings;
      // After one update m̂ = g and v̂ = g².
      const wanted = places(997, size).map((at) => {
        const [p, g] = [start[at]!, slope[at]!];
        return { at, value: p - rate * weightDecay * p - (rate * g) / (Math.abs(g) + epsilon), bound: 1e-6 };
      });
      return compare(result, size, wanted);
    },
  };
}
