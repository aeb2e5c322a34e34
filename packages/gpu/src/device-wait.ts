// What is awaited from devices, told to whoever can make the waiting cheaper: in Node, rests between Dawn's questions to the driver.

let listener: ((wait: Promise<unknown>) => void) | undefined;

/** Has every wait of `awaitDevice` told to `tell`; the last one called counts. `openNodeGpu` does so, see its rests. */
export function onDeviceWait(tell: (wait: Promise<unknown>) => void): void {
  listener = tell;
}

/**
 * The promise itself: of a device's queue, a buffer being mapped, a pipeline being made. In Node the thread rests until it settles
 * instead of asking the driver over and over. A `Gpu` awaits so by itself; this is for calls to `gpu.device`.
 */
export function awaitDevice<T>(promise: Promise<T>): Promise<T> {
  listener?.(promise);
  return promise;
}
