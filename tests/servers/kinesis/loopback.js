// The server asks for all addresses and has no setting for it: whatever it asks for, it gets loopback.
const { Server } = require("node:net");
const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
    if (typeof first === "object" && first !== null && "port" in first) {
        return listen.call(this, { ...first, host: "127.0.0.1" }, ...rest);
    }
    const callback = [first, ...rest].find((it) => typeof it === "function");
    return listen.call(this, { port: Number(first), host: "127.0.0.1" }, callback);
};
