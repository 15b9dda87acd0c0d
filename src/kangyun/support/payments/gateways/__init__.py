"""Ways to pay: WeChat Pay v3, Alipay and UnionPay, each in its own protocol, and the simulators that speak it too."""
