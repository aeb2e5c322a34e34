// The version of limn, kept equal to package.json by a test.

/** The version of limn. */
export const version = '0.1.0';
