// Calling functions that the user gave us.

/**
 * Calls what the user gave us; what it throws is the user's uncaught error, and leaves the session
 * alone.
 */
export function callOut(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
