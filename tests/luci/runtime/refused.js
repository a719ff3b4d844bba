/** Modules that LuCI has and that the app does without: files and programs of the router, the network's configuration. Every name of theirs throws. */
export const fs = {};
export const network = {};
