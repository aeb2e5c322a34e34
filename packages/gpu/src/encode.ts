// Turns a range of commands into GPU commands: one compute pass as far as copies allow, one pass per dispatch when each is timed.
import type { PhysicalBuffer } from './buffers.js';
import { align4 } from './buffers.js';
import type { Poison } from './poison.js';
import type { Pipeline } from './pipelines.js';
import type { Readback } from './readback.js';
import type { Command } from './recording.js';
import type { TimingRecorder } from './timing.js';

/** What commands are encoded with, all by the same indices as the recording. */
export interface Prepared {
  readonly pipelines: readonly (Pipeline | undefined)[];
  readonly groups: readonly (GPUBindGroup | undefined)[];
  readonly physical: readonly (PhysicalBuffer | undefined)[];
  readonly readback: Readback;
  readonly poison: Poison | undefined;
}

const timedPass = (timing: TimingRecorder, label: string): GPUComputePassDescriptor => ({
  label,
  timestampWrites: timing.next(label),
});

/** Encodes commands [start, end). */
export function encodeCommands(
  encoder: GPUCommandEncoder,
  commands: readonly Command[],
  start: number,
  end: number,
  { pipelines, groups, physical, readback, poison }: Prepared,
  timing: TimingRecorder | undefined,
): void {
  let pass: GPUComputePassEncoder | undefined;
  let current: Pipeline | undefined;
  const endPass = (): void => {
    pass?.end();
    pass = undefined;
    current = undefined;
  };
  for (let at = start; at < end; at += 1) {
    const command = commands[at]!;
    const fill = poison?.get(at);
    if (fill || command.kind !== 'dispatch') endPass();
    fill?.(encoder);
    switch (command.kind) {
      case 'dispatch': {
        if (timing && timing.whole === undefined) endPass();
        pass ??= encoder.beginComputePass(timing ? timedPass(timing, timing.whole ?? command.label) : {});
        const pipeline = pipelines[at]!;
        if (pipeline !== current) pass.setPipeline(pipeline.gpuPipeline);
        current = pipeline;
        pass.setBindGroup(0, groups[at]!, pipeline.uniformBytes > 0 ? [command.uniformOffset] : []);
        pass.dispatchWorkgroups(...command.grid);
        break;
      }
      case 'copy':
        encoder.copyBufferToBuffer(
          physical[command.from]!.gpuBuffer,
          command.fromOffset,
          physical[command.to]!.gpuBuffer,
          command.toOffset,
          command.bytes,
        );
        break;
      case 'clear':
        encoder.clearBuffer(physical[command.target]!.gpuBuffer, 0, align4(command.bytes));
        break;
      case 'read':
        readback.copy(encoder, command.order, physical[command.source]!.gpuBuffer);
        break;
    }
  }
  endPass();
}
