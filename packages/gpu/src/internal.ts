// The key under which this package keeps what its own modules share and users must not touch.
export const internal: unique symbol = Symbol('limn.gpu.internal');
