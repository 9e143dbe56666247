import { Client, connect } from "./client.js";
import { WireroomError } from "./errors.js";

// The script of a page that has no bundler: everything is in the one global.
Object.assign(globalThis, { Wireroom: { Client, WireroomError, connect } });
