// The resolution of names for a process whose endpoint is below localhost: the projects in front of
// the endpoint have no names in the system, which remains unchanged.
"use strict";

const dns = require("dns");

const original = dns.lookup;
dns.lookup = (name, options, callback) => {
  if (name.split(".").pop() !== "localhost") {
    throw new Error(`${name} is not below localhost`);
  }
  return original("127.0.0.1", options, callback);
};

// Calls every operation, and prints one JSON document: for each operation, the body of the response
// in "ok", or the code of the error in "code".
exports.print = async (calls) => {
  const responses = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      responses[name] = { ok: await call() };
    } catch (error) {
      responses[name] = { code: error.code || String(error.message).slice(0, 500) };
    }
  }
  console.log(JSON.stringify(responses));
};
