// Work that goes on from checkpoints survives the loss of its device: it is begun again on a new one.
import { LimnError } from '@limn/gpu';
import type { CommandContext } from './context.js';
import type { OpenDevice } from './device.js';

/** How often a device may be lost before the loss is the result: one that goes away every time will go away again. */
export const MOST_LOSSES = 3;

/** What `onNewDevices` is given so that each loss is a note on the console. */
export const notedLosses = ({
  signal,
  console,
}: Pick<CommandContext, 'signal' | 'console'>): {
  readonly signal: AbortSignal;
  readonly onLoss: (error: LimnError, losses: number) => void;
} => ({
  signal,
  onLoss: (error, losses) =>
    console.note(`${error.message}; going on from the last checkpoint on a new device (${losses} of ${MOST_LOSSES})`),
});

/** Runs `work` on a device from `open`; when that is lost, again on the next, up to `MOST_LOSSES` times. Every device is given back. */
export async function onNewDevices<T>(
  open: () => Promise<OpenDevice>,
  work: (device: OpenDevice) => Promise<T>,
  options: { readonly signal: AbortSignal; readonly onLoss: (error: LimnError, losses: number) => void },
): Promise<T> {
  for (let losses = 1; ; losses++) {
    using device = await open();
    try {
      return await work(device);
    } catch (error) {
      const lost = error instanceof LimnError && error.code === 'gpu/device-lost';
      if (!lost || losses > MOST_LOSSES || options.signal.aborted) throw error;
      options.onLoss(error, losses);
    }
  }
}
