// What is awaited from devices, told to whoever can make the waiting cheaper: in Node, rests between Dawn's questions to the driver.

/** Is told of a wait when it begins. */
export type DeviceWaitListener = (wait: Promise<unknown>) => void;

let listener: DeviceWaitListener | undefined;

/**
 * Has every wait of `awaitDevice` told to `tell`, or to nobody; the last one called counts. Returns who was told before. `openNodeGpu`
 * does so, see its rests.
 */
export function onDeviceWait(tell: DeviceWaitListener | undefined): DeviceWaitListener | undefined {
  const before = listener;
  listener = tell;
  return before;
}

/**
 * The promise itself: of a device's queue, a buffer being mapped, a pipeline being made. In Node the thread rests until it settles
 * instead of asking the driver over and over. A `Gpu` awaits so by itself; this is for calls to `gpu.device`. Not for `device.lost`
 * and others that may never settle: every turn of the event loop would rest until then.
 */
export function awaitDevice<T>(promise: Promise<T>): Promise<T> {
  listener?.(promise);
  return promise;
}
