#include "functions.h"

#include <vector>

#include <torch/csrc/autograd/custom_function.h>

#include "composed.h"

namespace nolens::train {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// An autograd function takes no undefined tensor: an empty one stands for "none".
Tensor or_empty(const Tensor& tensor, const Tensor& like) {
  return tensor.defined() ? tensor : at::empty({0}, like.options());
}

float* data_or_null(const Tensor& tensor) {
  return tensor.defined() && tensor.numel() > 0 ? tensor.data_ptr<float>() : nullptr;
}

Tensor zeros_or_none(const Tensor& like) {
  return like.numel() > 0 ? at::zeros_like(like) : Tensor();
}

class Bf16Linear : public torch::autograd::Function<Bf16Linear> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight) {
    const Tensor x16 = x.to(at::kBFloat16);
    const Tensor w16 = weight.to(at::kBFloat16);
    context->save_for_backward({x16, w16});
    return at::mm(x16, w16.t()).to(at::kFloat);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor g16 = gradients[0].to(at::kBFloat16);
    return {at::mm(g16, saved[1]).to(at::kFloat), at::mm(g16.t(), saved[0]).to(at::kFloat)};
  }
};

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x_in, const Variable& weight,
                          double eps) {
    const Tensor x = x_in.contiguous();
    const std::int64_t rows = x.size(0);
    const Tensor y = at::empty_like(x);
    const Tensor scale = at::empty({rows}, x.options());
    rms_norm_forward(x.data_ptr<float>(), data_or_null(weight), static_cast<float>(eps), rows,
                     x.size(1), y.data_ptr<float>(), scale.data_ptr<float>());
    context->save_for_backward({x, weight, scale});
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor& x = saved[0];
    const Tensor& weight = saved[1];
    const Tensor g = gradients[0].contiguous();
    const Tensor dx = at::empty_like(x);
    const Tensor dweight = zeros_or_none(weight);
    rms_norm_backward(g.data_ptr<float>(), x.data_ptr<float>(), data_or_null(weight),
                      saved[2].data_ptr<float>(), x.size(0), x.size(1), dx.data_ptr<float>(),
                      data_or_null(dweight));
    return {dx, dweight, Variable()};
  }
};

class Geglu : public torch::autograd::Function<Geglu> {
 public:
  static Variable forward(AutogradContext* context, const Variable& gate, const Variable& up) {
    const Tensor y = at::empty_like(gate);
    geglu_forward(gate.data_ptr<float>(), up.data_ptr<float>(), gate.numel(), y.data_ptr<float>());
    context->save_for_backward({gate, up});
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor g = gradients[0].contiguous();
    const Tensor dgate = at::empty_like(saved[0]);
    const Tensor dup = at::empty_like(saved[1]);
    geglu_backward(g.data_ptr<float>(), saved[0].data_ptr<float>(), saved[1].data_ptr<float>(),
                   g.numel(), dgate.data_ptr<float>(), dup.data_ptr<float>());
    return {dgate, dup};
  }
};

class HeadNorm : public torch::autograd::Function<HeadNorm> {
 public:
  static Variable forward(AutogradContext* context, const HeadShape& shape, const Variable& x_in,
                          const Variable& weight, double eps, const Variable& cosines,
                          const Variable& sines, const Variable& positions) {
    const Tensor x = x_in.contiguous();
    const Tensor y = at::empty(
        {shape.batch * shape.heads * shape.repeat, shape.rows, shape.head_dim}, x.options());
    const Tensor scale = at::empty({shape.batch * shape.rows * shape.heads}, x.options());
    head_norm_forward(shape, x.data_ptr<float>(), data_or_null(weight), static_cast<float>(eps),
                      data_or_null(cosines), data_or_null(sines),
                      positions.data_ptr<std::int32_t>(), y.data_ptr<float>(),
                      scale.data_ptr<float>());
    context->save_for_backward({x, weight, cosines, sines, positions, scale});
    context->saved_data["shape"] = c10::List<std::int64_t>(
        {shape.batch, shape.rows, shape.heads, shape.head_dim, shape.repeat});
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<std::int64_t> v = context->saved_data["shape"].toIntVector();
    const HeadShape shape{v[0], v[1], v[2], v[3], v[4]};
    const Tensor& weight = saved[1];
    const Tensor g = gradients[0].contiguous();
    const Tensor dx = at::empty_like(saved[0]);
    const Tensor dweight = zeros_or_none(weight);
    head_norm_backward(shape, g.data_ptr<float>(), saved[0].data_ptr<float>(), data_or_null(weight),
                       data_or_null(saved[2]), data_or_null(saved[3]),
                       saved[4].data_ptr<std::int32_t>(), saved[5].data_ptr<float>(),
                       dx.data_ptr<float>(), data_or_null(dweight));
    return {Variable(), dx, dweight, Variable(), Variable(), Variable(), Variable()};
  }
};

const KeyRange* key_ranges(const Tensor& ranges) {
  static_assert(sizeof(KeyRange) == 4 * sizeof(std::int32_t));
  return reinterpret_cast<const KeyRange*>(ranges.data_ptr<std::int32_t>());
}

class RangeAttention : public torch::autograd::Function<RangeAttention> {
 public:
  static Variable forward(AutogradContext* context, const AttentionShape& shape, const Variable& q,
                          const Variable& prefix_keys, const Variable& prefix_values,
                          const Variable& own_keys, const Variable& own_values,
                          const Variable& ranges) {
    const Tensor probabilities = at::bmm(q, prefix_keys.transpose(1, 2));
    const Tensor own_probabilities =
        at::empty({q.size(0), shape.queries, shape.own_rows}, q.options());
    const Tensor own_output = at::empty_like(q);
    attention_forward(shape, key_ranges(ranges), q.data_ptr<float>(), data_or_null(own_keys),
                      data_or_null(own_values), probabilities.data_ptr<float>(),
                      own_probabilities.data_ptr<float>(), own_output.data_ptr<float>());
    context->save_for_backward({q, prefix_keys, prefix_values, own_keys, own_values, ranges,
                                probabilities, own_probabilities});
    context->saved_data["shape"] =
        c10::List<std::int64_t>({shape.batch, shape.heads, shape.queries, shape.prefix_rows,
                                 shape.branches, shape.own_rows, shape.head_dim});
    return own_output.baddbmm_(probabilities, prefix_values);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<std::int64_t> v = context->saved_data["shape"].toIntVector();
    const AttentionShape shape{v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
    const Tensor& q = saved[0];
    const Tensor& own_keys = saved[3];
    const Tensor& own_values = saved[4];
    const Tensor& probabilities = saved[6];
    const Tensor g = gradients[0].contiguous();
    const Tensor dscores = at::bmm(g, saved[2].transpose(1, 2));
    const Tensor dq = at::empty_like(q);
    const Tensor down_keys = zeros_or_none(own_keys);
    const Tensor down_values = zeros_or_none(own_values);
    AttentionGradients out;
    out.scores = dscores.data_ptr<float>();
    out.q = dq.data_ptr<float>();
    out.own_keys = data_or_null(down_keys);
    out.own_values = data_or_null(down_values);
    attention_backward(shape, key_ranges(saved[5]), g.data_ptr<float>(), q.data_ptr<float>(),
                       data_or_null(own_keys), data_or_null(own_values),
                       probabilities.data_ptr<float>(), saved[7].data_ptr<float>(), out);
    dq.baddbmm_(dscores, saved[1]);
    return {Variable(),
            dq,
            at::bmm(dscores.transpose(1, 2), q),
            at::bmm(probabilities.transpose(1, 2), g),
            down_keys,
            down_values,
            Variable()};
  }
};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, bool bf16) {
  return bf16 ? Bf16Linear::apply(x, weight) : at::mm(x, weight.t());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  return x.is_cpu() ? RmsNorm::apply(x, or_empty(weight, x), eps)
                    : composed::rms_norm(x, weight, eps);
}

Tensor geglu(const Tensor& gate, const Tensor& up) {
  return gate.is_cpu() ? Geglu::apply(gate.contiguous(), up.contiguous())
                       : composed::geglu(gate, up);
}

Tensor head_norm(const HeadShape& shape, const Tensor& x, const Tensor& weight, double eps,
                 const RotaryTable& table, const Tensor& positions) {
  return x.is_cpu()
             ? HeadNorm::apply(shape, x, or_empty(weight, x), eps, or_empty(table.cosines, x),
                               or_empty(table.sines, x), positions)
             : composed::head_norm(shape, x, weight, eps, table, positions);
}

Tensor range_attention(const AttentionShape& shape, const Tensor& q, const Tensor& prefix_keys,
                       const Tensor& prefix_values, const Tensor& own_keys,
                       const Tensor& own_values, const Tensor& ranges) {
  return q.is_cpu() ? RangeAttention::apply(shape, q, prefix_keys, prefix_values,
                                            or_empty(own_keys, q), or_empty(own_values, q), ranges)
                    : composed::range_attention(shape, q, prefix_keys, prefix_values, own_keys,
                                                own_values, ranges);
}

}  // namespace nolens::train
